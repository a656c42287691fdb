"""Interface of embedders."""

from collections.abc import Sequence
from typing import Protocol

Vector = list[float]


class EmbeddingError(Exception):
    """Embedding failed; the message is shown to users and contains no secrets."""


class Embedder(Protocol):
    """Converts texts to vectors; vectors of different embedders are not comparable."""

    name: str
    dimensions: int

    def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Return one vector per text, in order; raise EmbeddingError on failure."""
        ...

    def embed_query(self, text: str) -> Vector:
        """Return the vector of a query; raise EmbeddingError on failure."""
        ...
