"""Embedder selection and batched embedding."""

from array import array
from collections.abc import Iterator, Sequence

from django.core.exceptions import ValidationError

from knowledge.embedders import Embedder, EmbeddingError, get_embedder
from knowledge.models import VECTOR_MODELS

BATCH = 128
TABLES = VECTOR_MODELS


def get_supported_embedder(name: str) -> Embedder:
    """Return the embedder called `name` if a table supports its dimensions.

    Raises:
        ValidationError: If it is unknown, not installed or has unsupported dimensions.
    """
    try:
        embedder = get_embedder(name)
    except (EmbeddingError, TypeError) as error:
        reason = (
            str(error)
            if isinstance(error, EmbeddingError)
            else f"The embedding model {name!r} needs additional options."
        )
        raise ValidationError({"embedding_model": ValidationError(reason, code="unknown_model")}) from error
    if embedder.dimensions not in TABLES:
        lengths = ", ".join(map(str, sorted(TABLES)))
        message = f"The model has {embedder.dimensions} dimensions. Supported dimensions: {lengths}."
        raise ValidationError({"embedding_model": ValidationError(message, code="dimensions")})
    return embedder


def iter_vectors(embedder: Embedder, texts: Sequence[str]) -> "Iterator[array[float]]":
    """Yield one vector per text, embedding in batches.

    Call it outside transactions, since the model may be a remote service.

    Raises:
        EmbeddingError: If the embedder fails.
    """
    for at in range(0, len(texts), BATCH):
        for vector in embedder.embed(texts[at : at + BATCH]):
            yield array("f", vector)
