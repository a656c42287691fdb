"""Hybrid search: BM25 and vector similarity, fused by score.

One statement (`search_sql`). The text leg scores a chunk by BM25; a vector leg for each embedding model orders by
cosine distance. The score of a chunk is its share of the best BM25 score plus its weighted cosine similarity, a convex
combination (Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", 2023).
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from pgvector import HalfVector
from psycopg.types.json import Jsonb

from config.tenancy.scope import require_scope, require_tenant_id
from knowledge.choices import RetrievalStrategy
from knowledge.embedders import get_embedder
from knowledge.languages import detect_question_language
from knowledge.models import Collection, RagQuery
from knowledge.question_words import strip_question_words
from knowledge.rerankers import Reranker
from knowledge.services.boosts import SearchBoosts, build_boost_parameters
from knowledge.services.diversity import drop_repetitions, select_diverse
from knowledge.services.query_syntax import parse_query
from knowledge.services.reranking import get_reranker, rerank_passages
from knowledge.services.search_sql import FILTERS, HIT_END, HIT_START, build_search_sql
from knowledge.services.sensitive_reads import record_sensitive_reads
from knowledge.services.vector_legs import build_leg_parameters, build_vector_legs, list_relative_legs
from knowledge.services.word_frequencies import frequent_words

# Tuned on the docstrings of Python functions (`benchmarks/docstrings.py`), within 0.001 of the best value.
FIXED = {"k1": 1.5, "b": 0.75, "hit_start": HIT_START, "hit_end": HIT_END}
CANDIDATES = 50
MAX_QUERY = 4000
# Maximum words of a query (the rarest are used); minimum matched chunks, absolute and as a share of all chunks.
MAX_QUERY_WORDS, MAX_SCANNED_WORDS, MATCHED, MATCHED_SHARE = 32, 96, 3000, 0.1
# Up to this many chunks are scanned for the words; larger collections use the index.
MAX_SCANNED_CHUNKS = 10_000
# Candidates that an HNSW scan looks at (`hnsw.ef_search`) in 10,000 chunks, by the collection's setting `recall`; more
# chunks need more for the same recall (`benchmarks/knowledge.py`).
EF_SEARCH = {"fast": 80, "balanced": 200, "high": 400}
EFFORT_AT, EFFORT_GROWS, MAX_EFFORT = 10_000, 0.7, 1000
EFFORT_SQL = (
    "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', %s, true)"
)
# Passages passed to the reranker, and from which diverse ones are chosen, per requested passage.
CANDIDATE_FACTOR = 3


@dataclass(frozen=True, slots=True)
class RankExplanation:
    """Rank and score of a passage in each leg; None if the leg did not find it.

    `boost` is the factor of the score by the date and tags of the document; None without boosts.
    `rerank_error` says why reranking failed; the passages then have the order of the fusion.
    """

    text_rank: int | None = None
    text_score: float | None = None
    vector_rank: int | None = None
    similarity: float | None = None
    boost: float | None = None
    rerank_score: float | None = None
    rerank_error: str | None = None


def locate_text(offset: int | None, start: int, end: int) -> dict[str, int | None]:
    """Return the offsets in a document of a part of a text that begins at `offset`; None if it is unknown."""
    return {
        "document_start": None if offset is None else offset + start,
        "document_end": None if offset is None else offset + end,
    }


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A chunk found by a search; `score` is between 0 and 1, where 1 is the best of the text leg and the same text.

    `start` is the offset of `text` in the text of the document; None if the chunk has no offsets. `snippet` has the
    markers of `search_sql` around matches; None unless requested.
    """

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
    collection_id: UUID | None = None
    start: int | None = None
    snippet: str | None = None
    explanation: RankExplanation = field(default_factory=RankExplanation)

    def locate(self, start: int, end: int) -> dict[str, int | None]:
        """Return the offsets in the document of a part of `text`; None if they are unknown."""
        return locate_text(self.start, start, end)


def search(
    query: str,
    collections: Sequence[Collection],
    *,
    limit: int = 8,
    strategy: str = RetrievalStrategy.HYBRID,
    filters: dict[str, Any] | None = None,
    snippets: bool = False,
    reranker: Reranker | None = None,
    vectors: Mapping[str, str] | None = None,
    diversity: float = 0.0,
    boosts: SearchBoosts | None = None,
) -> list[FoundPassage]:
    """Return the passages most relevant to `query`, in which `query_syntax` applies.

    Needs a tenant scope. Raises EmbeddingError if an embedder is unavailable, and ValueError if a filter is unknown.

    Args:
        filters: `metadata` (contained in the chunk's or the document's), `documents` (ids), `sources`, `file_types`,
            `languages` (ISO 639-1), `tags` (any of the document's), `uploaded_after`, `uploaded_before`.
        reranker: Function that rescores passages; by default the configured one.
        vectors: Query vectors computed by `embed_search_query` before the transaction.
        diversity: How much to avoid passages that resemble better ones, from 0 to 1.
        boosts: Boosts that replace those of the collections.
    """
    parsed, reranker = parse_query(query[:MAX_QUERY]), reranker or get_reranker(collections)
    if not collections or not parsed.text.strip():
        return []
    prepared = prepare_search(
        parsed.text,
        collections,
        vectors=embed_search_query(query, collections, strategy=strategy) if vectors is None else vectors,
        strategy=strategy,
        limit=limit * CANDIDATE_FACTOR if reranker or diversity else limit,
        filters=_check_filters(filters or {}) | parsed.build_conditions(),
        snippets=snippets,
        boosts=boosts,
    )
    found = _find_candidates(prepared, parsed.text, reranker)
    return choose_passages(found, collections, limit=limit, diversity=diversity)


def _find_candidates(prepared: "PreparedSearch", query: str, reranker: Reranker | None) -> list[FoundPassage]:
    passages = [_build_passage(row, prepared.best) for row in execute_search(prepared)]
    return rerank_passages(query, passages, reranker) if reranker else passages


def choose_passages(
    passages: Sequence[FoundPassage],
    collections: Sequence[Collection],
    *,
    limit: int,
    diversity: float,
    relevances: Sequence[float] | None = None,
) -> list[FoundPassage]:
    """Return the best passages without repetitions, and with diversity by their relevance or scores."""
    scores = relevances or [
        passage.score if passage.explanation.rerank_score is None else passage.explanation.rerank_score
        for passage in passages
    ]
    relevance = {passage.id: score for passage, score in zip(passages, scores, strict=True)}
    unique = drop_repetitions(passages, across_documents=diversity > 0)
    if not diversity:
        return unique[:limit]
    found = [relevance[passage.id] for passage in unique]
    return select_diverse(unique, found, collections, limit=limit, diversity=diversity)


def _check_filters(filters: dict[str, Any]) -> dict[str, Any]:
    """Return the filters that have a value.

    Raises:
        ValueError: If a filter is unknown.
    """
    filters = {name: value for name, value in filters.items() if value}
    if unknown := sorted(filters.keys() - FILTERS.keys()):
        raise ValueError(f"unknown filter {', '.join(unknown)}; supported filters: {', '.join(FILTERS)}")
    return filters


@dataclass(frozen=True, slots=True)
class PreparedSearch:
    """A search statement with its parameters.

    `effort` is `hnsw.ef_search` (None: no index is used), `best` the score of a passage ranked first in every leg, and
    `one_plan` whether a generic plan suits every such search.
    """

    sql: str
    parameters: dict[str, Any]
    effort: int | None
    best: float
    one_plan: bool = False


def prepare_search(
    query: str,
    collections: Sequence[Collection],
    *,
    vectors: Mapping[str, str],
    strategy: str,
    limit: int,
    filters: Mapping[str, Any] | None = None,
    snippets: bool = False,
    boosts: SearchBoosts | None = None,
) -> PreparedSearch:
    """Build the statement of a search. Needs a tenant scope."""
    filters = filters or {}
    legs = build_vector_legs(collections, vectors, strategy)
    text_weight = 0.0 if strategy == RetrievalStrategy.SEMANTIC else 1.0
    chunks = sum(collection.chunk_count for collection in collections)
    # Below the threshold an exact comparison is as fast as the index and misses nothing.
    approximate = bool(legs) and chunks > settings.VECTOR_PARTITION_ROWS and not filters
    boosted = build_boost_parameters(collections, boosts)
    parameters = {
        **_build_base_parameters(collections, filters, limit),
        "text_weight": text_weight,
        **(_build_word_parameters(query, collections, chunks) if text_weight or snippets else {}),
        **(build_leg_parameters(legs) | boosted),
    }
    sql = build_search_sql(
        tables=[leg.table for leg in legs],
        relative=list_relative_legs(legs),
        text=text_weight > 0,
        filters=filters,
        snippets=snippets,
        by_index=chunks > MAX_SCANNED_CHUNKS,
        approximate=approximate,
        boosted=bool(boosted),
    )
    effort = compute_ef_search(collections, chunks, parameters["candidates"]) if approximate else None
    best = text_weight + max((leg.part.weight for leg in legs), default=0.0)
    # An exact vector search of a small tenant has one good plan, and planning takes longer than executing it.
    one_plan = bool(legs) and not (text_weight or approximate or filters or snippets or boosted)
    return PreparedSearch(sql, parameters, effort, best, one_plan)


def _build_word_parameters(query: str, collections: Sequence[Collection], chunks: int) -> dict[str, Any]:
    """Return the parameters of the languages, and those that separate rare words from frequent ones."""
    frequent = frequent_words(collections)
    languages = sorted({code for collection in collections for code in collection.languages})
    language = detect_question_language(query, languages)
    return {
        "language": language,
        "query": strip_question_words(query, language),
        "words": MAX_QUERY_WORDS if chunks > MAX_SCANNED_CHUNKS else MAX_SCANNED_WORDS,
        "frequent": list(frequent),
        "shares": list(frequent.values()),
        "matched": max(MATCHED, int(MATCHED_SHARE * chunks)),
    }


def execute_search(prepared: PreparedSearch) -> list[tuple[Any, ...]]:
    """Execute a prepared search and return its rows."""
    make_cursor = connection.prepared_cursor if prepared.one_plan else connection.cursor  # type: ignore[attr-defined]
    with make_cursor() as cursor:
        if prepared.effort is not None:
            cursor.execute(EFFORT_SQL, [str(prepared.effort)])
        cursor.execute(prepared.sql, prepared.parameters)
        return list(cursor.fetchall())


def _build_base_parameters(
    collections: Sequence[Collection], filters: Mapping[str, Any], limit: int
) -> dict[str, Any]:
    values = {f"filter_{name}": value for name, value in filters.items()}
    if "metadata" in filters:
        values["filter_metadata"] = Jsonb(filters["metadata"])
    return values | {
        **FIXED,
        "candidates": max(CANDIDATES, limit),
        "limit": limit,
        "tenant": require_tenant_id(),
        "collections": [collection.pk for collection in collections],
        "chunks": max(1, sum(collection.chunk_count for collection in collections)),
    }


def compute_ef_search(collections: Sequence[Collection], chunks: int, candidates: int) -> int:
    """Return `hnsw.ef_search` for the requested recall and the number of chunks."""
    wish = max(map(get_base_ef_search, collections)) * max(1.0, chunks / EFFORT_AT) ** EFFORT_GROWS
    return min(MAX_EFFORT, max(candidates, int(wish)))


def get_base_ef_search(collection: Collection) -> int:
    """Return `hnsw.ef_search` per 10,000 chunks for the collection's `recall` setting."""
    return EF_SEARCH.get(str(collection.settings.get("recall")), EF_SEARCH["balanced"])


# The first columns of the statement.
PASSAGE_COLUMNS = (
    "id", "document_id", "title", "filename", "source", "text", "context", "page", "chunk_index", "collection_id",
    "start",
)  # fmt: skip


def _build_passage(row: Sequence[Any], best: float) -> FoundPassage:
    *fields, score, text_rank, text_score, vector_rank, distance, boost, snippet = row
    similarity = None if distance is None else 1 - distance
    why = RankExplanation(text_rank, text_score, vector_rank, similarity, boost)
    named = dict(zip(PASSAGE_COLUMNS, fields, strict=True))
    return FoundPassage(**named, score=min(1.0, float(score) / best), snippet=snippet, explanation=why)


def embed_search_query(query: str, collections: Sequence[Collection], *, strategy: str) -> dict[str, str]:
    """Embed the query with each embedding model of `collections`, in PostgreSQL's text format.

    Returns an empty dictionary for keyword searches. May wait for a remote model.

    Raises:
        EmbeddingError: If an embedder is unavailable.
    """
    if strategy == RetrievalStrategy.KEYWORD:
        return {}
    text = parse_query(query[:MAX_QUERY]).text
    return {
        name: str(HalfVector(get_embedder(name).embed_query(text)).to_text())
        for name in dict.fromkeys(collection.embedding_model for collection in collections)
    }


def log_query(
    query: str,
    passages: Sequence[FoundPassage],
    *,
    collections: Sequence[Collection],
    started: float,
    agent_id: UUID | None = None,
    conversation_id: UUID | None = None,
    strategy: str = RetrievalStrategy.HYBRID,
    filters: dict[str, Any] | None = None,
) -> RagQuery:
    """Record a search; `started` is `time.perf_counter()` of its beginning.

    The audit log records passages of sensitive collections.
    """
    record_sensitive_reads(collections, passages)
    return RagQuery.objects.create(
        collection_id=collections[0].pk if len(collections) == 1 else None,
        agent_id=agent_id,
        conversation_id=conversation_id,
        user_id=require_scope().user_id,
        query_text=query[:MAX_QUERY],
        results=[_serialize_result(found) for found in passages],
        top_score=passages[0].score if passages else None,
        retrieval_strategy=strategy,
        filters={
            "collections": [collection.slug for collection in collections],
            **_serialize_filters(filters),
        },
        response_time_ms=int((time.perf_counter() - started) * 1000),
    )


def _serialize_filters(filters: dict[str, Any] | None) -> dict[str, Any]:
    return {name: _serialize_filter(value) for name, value in (filters or {}).items()}


def _serialize_filter(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return [str(each) for each in value] if isinstance(value, list) else value


def _serialize_result(found: FoundPassage) -> dict[str, Any]:
    why = {name: value for name, value in asdict(found.explanation).items() if value is not None}
    return {"chunk": str(found.id), "document": str(found.document_id), "score": round(found.score, 4), **why}
