"""What every embedder offers."""

from collections.abc import Sequence
from typing import Protocol

Vector = list[float]


class EmbeddingError(Exception):
    """Vectors cannot be made; the message is for a person and holds no key or password."""


class Embedder(Protocol):
    """Turns texts into vectors of one length. Vectors of different names cannot be compared."""

    name: str
    dimensions: int

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """One vector of `dimensions` numbers for each text, in order; raises EmbeddingError."""
        ...

    def embed_query(self, text: str) -> Vector:
        """The vector of a question; raises EmbeddingError."""
        ...
