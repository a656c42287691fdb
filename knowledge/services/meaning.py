"""Texts outside collections by their meaning: vectors of one length whatever the embedder, and the nearest rows.

Embeddings, terms, learning patterns, insights of agents, assets and events all are embedded and found by this.
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
# Of an embedding's metadata: what it was made of. Such a text is read where that is, by who may read that.
PART_OF = "of"
INDEX_SCAN = "SELECT set_config('hnsw.iterative_scan', 'strict_order', true)"


def embedder_name() -> str:
    """The embedder of all of them; vectors of two are never compared."""
    return default_embedder().name


def vectors_of(texts: Sequence[str], dimensions: int) -> list[list[float]]:
    """A vector for each text; zeros behind a shorter one change no angle.

    Raises:
        EmbeddingError: when they cannot be made.
    """
    vectors = default_embedder().embed([text[:MAX_TEXT] for text in texts])
    return [_padded(vector, dimensions) for vector in vectors]


def query_vector(text: str, dimensions: int) -> list[float]:
    """The vector of a question."""
    return _padded(default_embedder().embed_query(text[:MAX_TEXT]), dimensions)


def _padded(vector: Sequence[float], dimensions: int) -> list[float]:
    if len(vector) > dimensions:
        raise ValueError(f"vectors of {len(vector)} numbers do not fit into {dimensions}")
    return [*vector, *[0.0] * (dimensions - len(vector))]


def nearest(rows: Any, vector: Sequence[float], limit: int, *, field: str = "embedding") -> list[Any]:
    """The `limit` rows nearest to `vector`, nearest first, each with its `distance` (0: the same); never fewer than
    there are.

    An index of vectors holds those of everybody. Where it gives up before enough of the scope's own were met, all of
    them are compared.
    """
    distance = CosineDistance(field, vector)
    rows = rows.exclude(**{field: None})
    with connection.cursor() as cursor:
        cursor.execute(INDEX_SCAN)
    found = list(rows.annotate(distance=distance).order_by("distance")[:limit])
    if len(found) < limit:
        # An expression that no index has.
        compared = Cast(distance, FloatField()) + Value(0.0)
        found = list(rows.annotate(distance=compared).order_by("distance", "id")[:limit])
    return found


def remember_text(content: str, metadata: dict[str, Any] | None = None) -> Embedding:
    """Keep a text so that it is found by its meaning; the same text is kept once, with its latest metadata."""
    held = Embedding.objects.select_for_update().filter(content=content).exclude(metadata__has_key=PART_OF)
    row = held.order_by("id").first() or Embedding(content=content)
    row.metadata = {name: value for name, value in (metadata or {}).items() if name != PART_OF}
    row.embedding_model = embedder_name()
    (row.embedding,) = vectors_of([content], row.DIMENSIONS)
    row.save()
    row.refresh_from_db()
    return row


def similar_texts(text: str, *, metadata: dict[str, Any] | None = None, limit: int = 10) -> list[Embedding]:
    """The texts that were remembered and are nearest to `text`.

    Args:
        metadata: which theirs must contain.
    """
    rows = Embedding.objects.filter(embedding_model=embedder_name()).exclude(metadata__has_key=PART_OF)
    if metadata:
        rows = rows.filter(metadata__contains=metadata)
    return nearest(rows, query_vector(text, Embedding.DIMENSIONS), limit)
