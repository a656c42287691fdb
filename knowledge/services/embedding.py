"""Embedding texts: which embedder has a table for its vectors, and vectors in batches."""

from array import array
from collections.abc import Iterator, Sequence

from django.core.exceptions import ValidationError

from knowledge.embedders import Embedder, EmbeddingError, get_embedder
from knowledge.models import VECTOR_MODELS

BATCH = 128
TABLES = VECTOR_MODELS


def embedder_for(name: str) -> Embedder:
    """The embedder called `name`, when there is a table for its vectors.

    Raises:
        ValidationError: on `embedding_model`, for one that is unknown, not installed, or of another length.
    """
    try:
        embedder = get_embedder(name)
    except (EmbeddingError, TypeError) as error:
        reason = str(error) if isinstance(error, EmbeddingError) else f"{name!r} needs more than its name"
        raise ValidationError({"embedding_model": ValidationError(reason, code="unknown_model")}) from error
    if embedder.dimensions not in TABLES:
        lengths = ", ".join(map(str, sorted(TABLES)))
        message = f"Its vectors have {embedder.dimensions} numbers; there are tables for {lengths}."
        raise ValidationError({"embedding_model": ValidationError(message, code="dimensions")})
    return embedder


def embedded(embedder: Embedder, texts: Sequence[str]) -> "Iterator[array[float]]":
    """A compact vector for each text, in batches. Hold no transaction open: a model may be far away.

    Raises:
        EmbeddingError: when they cannot be made.
    """
    for at in range(0, len(texts), BATCH):
        for vector in embedder.embed(texts[at : at + BATCH]):
            yield array("f", vector)
