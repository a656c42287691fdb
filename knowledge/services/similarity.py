"""Similarity search over texts outside collections.

Embeddings, terms, learning patterns, agent insights, assets and events use it.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import FloatField, Value
from django.db.models.functions import Cast
from pgvector.django import CosineDistance

from knowledge.embedders import default_embedder
from knowledge.models import Embedding

MAX_TEXT = 8000
INDEX_SCAN = "SELECT set_config('hnsw.iterative_scan', 'strict_order', true)"


def get_embedder_name() -> str:
    """Return the name of the embedder; vectors of different embedders are not comparable."""
    return default_embedder().name


def embed_texts(texts: Sequence[str], dimensions: int) -> list[list[float]]:
    """Embed the texts, padding with zeros, which does not change cosine distances.

    Raises:
        EmbeddingError: If the embedder fails.
    """
    vectors = default_embedder().embed([text[:MAX_TEXT] for text in texts])
    return [_pad_vector(vector, dimensions) for vector in vectors]


def embed_query(text: str, dimensions: int) -> list[float]:
    """Embed a query."""
    return _pad_vector(default_embedder().embed_query(text[:MAX_TEXT]), dimensions)


def _pad_vector(vector: Sequence[float], dimensions: int) -> list[float]:
    if len(vector) > dimensions:
        raise ValueError(f"vectors of {len(vector)} numbers do not fit into {dimensions}")
    return [*vector, *[0.0] * (dimensions - len(vector))]


def find_nearest(rows: Any, vector: Sequence[float], limit: int, *, field: str = "embedding") -> list[Any]:
    """Return the `limit` rows nearest to `vector`, nearest first, with their `distance`.

    The index contains the vectors of all tenants, so its scan may end before it finds enough visible rows. In that
    case all visible rows are compared.
    """
    distance = CosineDistance(field, vector)
    rows = rows.exclude(**{field: None})
    with connection.cursor() as cursor:
        cursor.execute(INDEX_SCAN)
    nearest = list(rows.annotate(distance=distance).order_by("distance")[:limit])
    if len(nearest) < limit:
        # No index matches this expression, which forces an exact scan.
        compared = Cast(distance, FloatField()) + Value(0.0)
        nearest = list(rows.annotate(distance=compared).order_by("distance", "id")[:limit])
    return nearest


def store_text(content: str, metadata: dict[str, Any] | None = None) -> Embedding:
    """Store a text for similarity search; an existing one gets the new metadata."""
    existing = Embedding.objects.select_for_update().filter(content=content, source_id=None)
    row = existing.order_by("id").first() or Embedding(content=content)
    row.metadata = metadata or {}
    row.embedding_model = get_embedder_name()
    (row.embedding,) = embed_texts([content], row.DIMENSIONS)
    row.save()
    row.refresh_from_db()
    return row


def find_similar_texts(
    text: str, *, metadata: dict[str, Any] | None = None, limit: int = 10
) -> list[Embedding]:
    """Return the stored texts similar to `text`, nearest first.

    Args:
        metadata: Metadata that the texts must contain.
    """
    rows = Embedding.objects.filter(embedding_model=get_embedder_name(), source_id=None)
    if metadata:
        rows = rows.filter(metadata__contains=metadata)
    return find_nearest(rows, embed_query(text, Embedding.DIMENSIONS), limit)
