"""Vectors of chunks: which table holds those of an embedder, and who is known to make them."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError

from knowledge.embedders import Embedder, EmbeddingError, get_embedder
from knowledge.models import ChunkVector384
from tenants.scoping import require_tenant_id

BATCH = 128
TABLES: dict[int, Any] = {384: ChunkVector384}


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


def store_vectors(collection_id: UUID, dimensions: int, pairs: "Iterable[tuple[UUID, array[float]]]") -> None:
    """Write the vectors of chunks, in the caller's transaction."""
    table, tenant_id, pairs = TABLES[dimensions], require_tenant_id(), iter(pairs)
    while batch := list(islice(pairs, 500)):
        table.objects.bulk_create(
            [
                table(id=chunk, tenant_id=tenant_id, collection_id=collection_id, embedding=vector.tolist())
                for chunk, vector in batch
            ]
        )
