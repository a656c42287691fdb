"""Search analytics of a tenant: unanswered questions, slow questions, used documents.

Counts include all searches. For privacy, the text of a question is shown only if the caller or a job asked it, or if
at least two users did.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from config.db.ids import uuid7_floor
from config.db.session import READER
from config.tenancy.scope import require_scope, require_tenant_id, tenant_scope

MAX_DAYS, MAX_ROWS = 90, 20
# A result found only by vectors and below this similarity does not count as an answer.
MIN_SIMILARITY = 0.3
QUERIES_CTE = """
WITH asked AS (
  SELECT q.id, q.user_id, lower(btrim(regexp_replace(q.query_text, '\\s+', ' ', 'g'))) AS question, q.results,
    q.response_time_ms, q.user_feedback,
    q.user_feedback <> 'helpful' AND (q.user_feedback = 'unhelpful' OR jsonb_array_length(q.results) = 0
      OR (q.results -> 0 ->> 'text_rank' IS NULL AND (q.results -> 0 ->> 'similarity')::float < %(faint)s)) AS poor
  FROM knowledge_ragquery q WHERE q.tenant_id = %(tenant)s AND q.id >= %(since)s
), named AS (
  SELECT *, bool_or(user_id IS NULL OR user_id = %(user)s) OVER same
      OR min(user_id::text) OVER same IS DISTINCT FROM max(user_id::text) OVER same AS shown
  FROM asked WINDOW same AS (PARTITION BY question)
)"""
TOTALS_SQL = (
    QUERIES_CTE
    + """
SELECT count(*), count(*) FILTER (WHERE poor), count(*) FILTER (WHERE user_feedback = 'helpful'),
  count(*) FILTER (WHERE user_feedback = 'unhelpful'),
  percentile_cont(0.5) WITHIN GROUP (ORDER BY response_time_ms),
  percentile_cont(0.95) WITHIN GROUP (ORDER BY response_time_ms) FROM asked"""
)
POOR_QUESTIONS_SQL = (
    QUERIES_CTE
    + """
SELECT question, count(*) AS searches, count(*) FILTER (WHERE poor) AS poor, max(response_time_ms) AS slowest
FROM named WHERE shown GROUP BY question HAVING bool_or(poor) ORDER BY 3 DESC, 2 DESC, 1 LIMIT %(shown)s"""
)
SLOW_QUESTIONS_SQL = (
    QUERIES_CTE
    + """
SELECT question, count(*) AS searches, count(*) FILTER (WHERE poor) AS poor, max(response_time_ms) AS slowest
FROM named WHERE shown GROUP BY question ORDER BY 4 DESC, 1 LIMIT %(shown)s"""
)
USED_DOCUMENTS_SQL = (
    QUERIES_CTE
    + """
, used AS (
  SELECT (hit ->> 'document')::uuid AS document_id, count(DISTINCT a.id) AS searches,
    count(DISTINCT a.id) FILTER (WHERE place = 1) AS first
  FROM asked a, jsonb_array_elements(a.results) WITH ORDINALITY AS r (hit, place)
  GROUP BY 1 ORDER BY 2 DESC, 3 DESC, 1 LIMIT %(shown)s
)
SELECT d.id, coalesce(nullif(d.title, ''), d.filename), d.source, u.searches, u.first
FROM used u JOIN knowledge_document d ON d.id = u.document_id AND d.tenant_id = %(tenant)s
ORDER BY u.searches DESC, u.first DESC, d.id"""
)


@dataclass(frozen=True, slots=True)
class QuestionStats:
    """Statistics of one question."""

    question: str
    searches: int
    without_answer: int
    slowest_ms: int


@dataclass(frozen=True, slots=True)
class DocumentUsage:
    """Search statistics of one document."""

    id: UUID
    title: str
    source: str
    searches: int
    first: int


@dataclass(frozen=True, slots=True)
class SearchAnalytics:
    """Search statistics of a tenant since a point in time."""

    since: datetime
    searches: int
    without_answer: int
    helpful: int
    unhelpful: int
    median_ms: float | None
    slow_ms: float | None
    poor: list[QuestionStats]
    slow: list[QuestionStats]
    documents: list[DocumentUsage]

    def as_dict(self) -> dict[str, Any]:
        """Return the statistics as a JSON-serializable dictionary."""
        return asdict(self)


def compute_search_analytics(days: int) -> SearchAnalytics:
    """Return the search statistics of the current tenant for the last `days` days."""
    scope, tenant_id = require_scope(), require_tenant_id()
    since = timezone.now() - timedelta(days=min(days, MAX_DAYS))
    parameters = {
        "tenant": tenant_id,
        "user": scope.user_id,
        "since": uuid7_floor(since),
        "faint": MIN_SIMILARITY,
        "shown": MAX_ROWS,
    }
    # A scope without a user, because the statistics count the queries of all users.
    with tenant_scope(tenant_id, read_only=scope.role == READER), connection.cursor() as cursor:

        def rows(sql: str) -> list[tuple[Any, ...]]:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())

        searches, without_answer, helpful, unhelpful, median_ms, slow_ms = rows(TOTALS_SQL)[0]
        return SearchAnalytics(
            since=since,
            searches=searches,
            without_answer=without_answer,
            helpful=helpful,
            unhelpful=unhelpful,
            median_ms=median_ms,
            slow_ms=slow_ms,
            poor=[QuestionStats(*row) for row in rows(POOR_QUESTIONS_SQL)],
            slow=[QuestionStats(*row) for row in rows(SLOW_QUESTIONS_SQL)],
            documents=[DocumentUsage(*row) for row in rows(USED_DOCUMENTS_SQL)],
        )
