"""Hybrid search: words weighed by their rarity, vectors compared exactly, both fused by rank.

One statement. The text leg scores a chunk by the sum over the query's lexemes of inverse document frequency
times `ts_rank`; the vector leg orders by cosine distance; the legs are fused by weighted reciprocal ranks
(Cormack, Clarke and Büttcher, SIGIR 2009). The tenant stands in the statement beside the policy, because
the planner estimates better with it.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from knowledge.choices import RetrievalStrategy
from knowledge.embedders import get_embedder
from knowledge.models import Collection, RagQuery
from tenants.scoping import require_scope, require_tenant_id

RANK_OFFSET = 60
CANDIDATES = 50
MAX_QUERY = 4000
# A lexical embedder sees the same words as the text leg; a semantic one sees what that leg cannot.
VECTOR_WEIGHT = {"lexical": 0.4, "semantic": 1.0}

SEARCH_SQL = """
WITH lexemes AS MATERIALIZED (
  SELECT lexeme, quote_literal(lexeme)::tsquery AS query
  FROM unnest(tsvector_to_array(to_tsvector('english', %(query)s))) AS lexeme LIMIT 32
), hits AS MATERIALIZED (
  SELECT c.id, l.lexeme, ts_rank(c.search, l.query, 1) AS weight
  FROM lexemes l JOIN knowledge_chunk c ON c.search @@ l.query
  WHERE c.tenant_id = %(tenant)s AND c.collection_id = ANY(%(collections)s)
), rarity AS (
  SELECT lexeme, ln(1 + %(chunks)s::float / count(*)) AS idf FROM hits GROUP BY lexeme
), by_text AS (
  SELECT id, score, row_number() OVER (ORDER BY score DESC, id) AS rank FROM (
    SELECT h.id, sum(r.idf * sqrt(h.weight)) AS score FROM hits h JOIN rarity r USING (lexeme) GROUP BY h.id
    ORDER BY score DESC, h.id LIMIT %(candidates)s) t
), by_vector AS (
  SELECT id, distance, row_number() OVER (ORDER BY distance, id) AS rank FROM (
    SELECT v.id, v.embedding <=> %(vector)s::halfvec AS distance FROM knowledge_chunkvector384 v
    WHERE v.tenant_id = %(tenant)s AND v.collection_id = ANY(%(collections)s)
    ORDER BY distance, v.id LIMIT %(candidates)s) v
  WHERE distance < 1
), fused AS (
  SELECT id, coalesce(%(text_weight)s / (%(offset)s + t.rank), 0)
    + coalesce(%(vector_weight)s / (%(offset)s + v.rank), 0) AS score
  FROM by_text t FULL JOIN by_vector v USING (id) ORDER BY score DESC, id LIMIT %(limit)s
)
SELECT c.id, c.document_id, d.title, d.filename, d.source, c.content, c.context, c.page, c.chunk_index, f.score
FROM fused f JOIN knowledge_chunk c ON c.id = f.id AND c.tenant_id = %(tenant)s
  JOIN knowledge_document d ON d.id = c.document_id AND d.tenant_id = %(tenant)s
ORDER BY f.score DESC, c.id
"""


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A chunk that was found; `score` lies between 0 and 1, 1 being first in every leg."""

    id: UUID
    document_id: UUID
    title: str
    filename: str
    source: str
    text: str
    context: str
    page: int | None
    chunk_index: int
    score: float


def search(
    query: str,
    collections: Sequence[Collection],
    *,
    limit: int = 8,
    strategy: str = RetrievalStrategy.HYBRID,
) -> list[FoundPassage]:
    """The passages of `collections` that fit `query` best, best first; needs a tenant's scope.

    Raises:
        EmbeddingError: when the collections' embedder cannot be used.
        ValueError: when the collections were embedded by different models.
    """
    if not collections or not query.strip():
        return []
    text_weight, vector_weight, vector = _weights(query[:MAX_QUERY], collections, strategy)
    parameters = {
        "query": query[:MAX_QUERY],
        "tenant": require_tenant_id(),
        "collections": [collection.pk for collection in collections],
        "chunks": max(1, sum(collection.chunk_count for collection in collections)),
        "vector": vector,
        "candidates": CANDIDATES,
        "offset": RANK_OFFSET,
        "text_weight": text_weight,
        "vector_weight": vector_weight,
        "limit": limit,
    }
    best = (text_weight + vector_weight) / (RANK_OFFSET + 1)
    with connection.cursor() as cursor:
        cursor.execute(SEARCH_SQL, parameters)
        return [FoundPassage(*row[:-1], score=min(1.0, float(row[-1]) / best)) for row in cursor.fetchall()]


def _weights(query: str, collections: Sequence[Collection], strategy: str) -> tuple[float, float, str | None]:
    names = {collection.embedding_model for collection in collections}
    if len(names) > 1:
        raise ValueError(f"the collections were embedded by different models: {', '.join(sorted(names))}")
    if strategy == RetrievalStrategy.KEYWORD:
        return 1.0, 0.0, None
    embedder = get_embedder(names.pop())
    kind = "lexical" if embedder.name.startswith("lexical") else "semantic"
    vector = "[" + ",".join(f"{value:.6g}" for value in embedder.embed_query(query)) + "]"
    if strategy == RetrievalStrategy.SEMANTIC:
        return 0.0, 1.0, vector
    return 1.0, VECTOR_WEIGHT[kind], vector


def log_query(
    query: str,
    passages: Sequence[FoundPassage],
    *,
    collections: Sequence[Collection],
    started: float,
    agent_id: UUID | None = None,
    conversation_id: UUID | None = None,
    strategy: str = RetrievalStrategy.HYBRID,
) -> RagQuery:
    """Record a search; `started` is `time.perf_counter()` of its beginning."""
    return RagQuery.objects.create(
        collection_id=collections[0].pk if len(collections) == 1 else None,
        agent_id=agent_id,
        conversation_id=conversation_id,
        user_id=require_scope().user_id,
        query_text=query[:MAX_QUERY],
        results=[{"chunk": str(found.id), "score": round(found.score, 4)} for found in passages],
        top_score=passages[0].score if passages else None,
        retrieval_strategy=strategy,
        filters=_filters(collections),
        response_time_ms=int((time.perf_counter() - started) * 1000),
    )


def _filters(collections: Sequence[Collection]) -> dict[str, Any]:
    return {"collections": [collection.slug for collection in collections]}
