"""Hybrid message search in one statement: IDF-weighted keywords and exact vectors, fused by rank.

Only messages of conversations that the person participates in are searched. They are few enough to compare all
vectors, so recall does not suffer from an approximate index.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from config.db.ids import uuid7_floor
from config.tenancy.scope import require_tenant_id
from conversations.services.message_index import COLUMNS, format_vector, message_embedder
from knowledge.services.search import MAX_QUERY
from knowledge.services.search_sql import HIT_END, HIT_START

CANDIDATES = 500
RANK_OFFSET = 60
# Relative to a keyword weight of 1; a lexical embedder adds little because it sees the same words.
VECTOR_WEIGHT = {"lexical": 0.3, "semantic": 1.0}
# Maximum cosine distance of a candidate; lexical vectors are only close if they share words.
FARTHEST = {"lexical": 0.9, "semantic": 0.75}
HEADLINE = f"StartSel={HIT_START}, StopSel={HIT_END}, MaxWords=40, MinWords=15, MaxFragments=2, FragmentDelimiter= … "
# Arrays instead of joins make the planner use the indexes even without row estimates.
SQL = f"""
WITH lexemes AS MATERIALIZED (
  SELECT word AS lexeme, quote_literal(word)::tsquery AS query
  FROM unnest(tsvector_to_array(to_tsvector('english', %(query)s))) AS word LIMIT 32
), mine AS MATERIALIZED (
  SELECT c.id FROM conversations_conversation c
  WHERE c.tenant_id = %(tenant)s AND (c.user_id = %(user)s OR EXISTS (
      SELECT FROM conversations_participant p
      WHERE p.tenant_id = c.tenant_id AND p.conversation_id = c.id AND p.user_id = %(user)s))
    AND (%(agent)s::uuid IS NULL OR c.agent_id = %(agent)s OR EXISTS (
      SELECT FROM conversations_participant p
      WHERE p.tenant_id = c.tenant_id AND p.conversation_id = c.id AND p.agent_id = %(agent)s))
), looked AS MATERIALIZED (
  SELECT e.id, e.words, e.{{column}} <=> %(vector)s::halfvec AS distance
  FROM conversations_messageembedding e
  WHERE e.tenant_id = %(tenant)s AND e.conversation_id = ANY(ARRAY(SELECT id FROM mine))
    AND e.embedding_model = %(model)s AND e.id >= %(since)s AND e.id < %(until)s
), hits AS MATERIALIZED (
  SELECT k.id, l.lexeme, ts_rank(k.words, l.query, 1) AS weight FROM looked k JOIN lexemes l ON k.words @@ l.query
), rarity AS (
  SELECT lexeme, ln(1 + (SELECT count(*) FROM looked)::float / count(*)) AS idf FROM hits GROUP BY lexeme
), by_words AS (
  SELECT id, row_number() OVER (ORDER BY score DESC, id DESC) AS rank FROM (
    SELECT h.id, sum(r.idf * sqrt(h.weight)) AS score FROM hits h JOIN rarity r USING (lexeme) GROUP BY h.id
    ORDER BY score DESC, h.id DESC LIMIT {CANDIDATES}) t
), by_vector AS (
  SELECT id, row_number() OVER (ORDER BY distance, id DESC) AS rank FROM (
    SELECT id, distance FROM looked WHERE distance < %(farthest)s ORDER BY distance, id DESC LIMIT {CANDIDATES}) n
), fused AS MATERIALIZED (
  SELECT id, coalesce(1.0 / ({RANK_OFFSET} + w.rank), 0)
    + coalesce(%(weight)s / ({RANK_OFFSET} + v.rank), 0) AS score
  FROM by_words w FULL JOIN by_vector v USING (id)
  ORDER BY score DESC, id DESC LIMIT %(limit)s OFFSET %(offset)s
)
SELECT m.id, m.conversation_id, c.title, m.sequence_number, m.role, m.agent_id, m.created_at,
  ts_headline('english', left(m.content, 20000),
    coalesce((SELECT to_tsquery('simple', string_agg(query::text, ' | ')) FROM lexemes), ''::tsquery), %(headline)s),
  f.score
FROM fused f JOIN conversations_message m ON m.id = f.id AND m.tenant_id = %(tenant)s
  JOIN conversations_conversation c ON c.id = m.conversation_id AND c.tenant_id = %(tenant)s
WHERE m.id = ANY(ARRAY(SELECT id FROM fused))
ORDER BY f.score DESC, f.id DESC
"""
EARLIEST, LATEST = UUID(int=0), UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class FoundMessage:
    """A matching message; `snippet` marks matches as in `knowledge.services.search_sql`.

    `score` is between 0 and 1; 1 ranks first by keywords and by vector.
    """

    id: UUID
    conversation_id: UUID
    title: str
    sequence_number: int
    role: str
    agent_id: UUID | None
    created_at: datetime
    snippet: str
    score: float


@dataclass(frozen=True, slots=True)
class SearchQuestion:
    """A search with its vector, created by `ask`; embedding may be slow."""

    text: str
    model: str
    column: str
    vector: str


def embed_question(text: str) -> SearchQuestion:
    """Embed the search text. Call it outside transactions.

    Raises:
        EmbeddingError: the message embedder is unavailable.
    """
    embedder, text = message_embedder(), text[:MAX_QUERY]
    vector = format_vector(embedder.embed_query(text))
    return SearchQuestion(text, embedder.name, COLUMNS[embedder.dimensions], vector)


@dataclass(frozen=True, slots=True)
class SearchFilter:
    """Search filter: conversations of the agent, from `after` (inclusive) to `before` (exclusive)."""

    agent_id: UUID | None = None
    after: datetime | None = None
    before: datetime | None = None


def search_messages(
    question: SearchQuestion,
    *,
    user_id: UUID,
    within: SearchFilter = SearchFilter(),
    limit: int = 20,
    offset: int = 0,
) -> list[FoundMessage]:
    """Return matching messages of the person, best first. Needs a tenant scope.

    Raises:
        ValueError: a time is outside the range of UUIDv7 ids.
    """
    values = build_parameters(question, user_id, within) | {"limit": limit, "offset": offset}
    with connection.cursor() as cursor:
        cursor.execute(SQL.format(column=question.column), values)
        best = (1 + values["weight"]) / (RANK_OFFSET + 1)
        return [
            FoundMessage(*row, score=min(1.0, float(score) / best))  # type: ignore[misc]
            for *row, score in cursor.fetchall()
        ]


def build_parameters(question: SearchQuestion, user_id: UUID, within: SearchFilter) -> dict[str, Any]:
    """Return the parameters of the statement, except those of the page.

    Raises:
        ValueError: a time is outside the range of UUIDv7 ids.
    """
    kind = "lexical" if question.model.startswith("lexical") else "semantic"
    return {
        "query": question.text,
        "vector": question.vector,
        "model": question.model,
        "weight": VECTOR_WEIGHT[kind],
        "farthest": FARTHEST[kind],
        "tenant": require_tenant_id(),
        "user": user_id,
        "agent": within.agent_id,
        "since": uuid7_floor(within.after) if within.after else EARLIEST,
        "until": uuid7_floor(within.before) if within.before else LATEST,
        "headline": HEADLINE,
    }
