"""Learning patterns: confidence grows with recurrence and decays without it (`knowledge.services.confidence`).

A daily job deletes patterns whose confidence decayed below `MIN_CONFIDENCE`.
"""

from typing import Any

from django.db import connection, transaction

from config.tenancy.scope import platform_scope, require_scope
from knowledge.models import LearningPattern
from knowledge.services.confidence import count_evidence, current_confidence_sql, get_half_life
from knowledge.services.similarity import embed_query, embed_texts, find_nearest, get_embedder_name

DIMENSIONS = 1536
SAME_PATTERN_DISTANCE = 0.1
MIN_CONFIDENCE = 0.05
ACTOR = "system:upkeep"
EXPIRED_SQL = f"DELETE FROM knowledge_learningpattern p WHERE {current_confidence_sql('p')} < %(least)s"


def flatten_text(data: Any) -> str:
    """Return the keys and values of a pattern as text, in a fixed order."""
    if isinstance(data, dict):
        return " ".join(f"{key} {flatten_text(data[key])}" for key in sorted(data))
    return " ".join(map(flatten_text, data)) if isinstance(data, list) else str(data)


def similar_patterns(text: str, *, pattern_type: str = "", limit: int = 10) -> list[LearningPattern]:
    """Return the user's patterns similar to `text`, nearest first, with their `distance`."""
    user_id = require_scope().user_id
    rows = LearningPattern.objects.filter(user_id=user_id, embedding_model=get_embedder_name())
    if pattern_type:
        rows = rows.filter(pattern_type=pattern_type)
    return find_nearest(rows, embed_query(text, DIMENSIONS), limit)


@transaction.atomic
def observe_pattern(pattern_type: str, data: dict[str, Any]) -> LearningPattern:
    """Record an action: update a similar pattern or create a new one."""
    user_id = require_scope().user_id
    with connection.cursor() as cursor:
        # Serialize observations of one user; otherwise two could create the same pattern.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"learning:{user_id}"])
    near = similar_patterns(flatten_text(data), pattern_type=pattern_type, limit=1)
    if near and near[0].distance <= SAME_PATTERN_DISTANCE:  # type: ignore[attr-defined]
        return _count(near[0], uses=1)
    pattern = LearningPattern(user_id=user_id, pattern_type=pattern_type, data=data)  # type: ignore[misc]
    (pattern.embedding,) = embed_texts([flatten_text(data)], DIMENSIONS)
    pattern.embedding_model, pattern.occurrences = get_embedder_name(), 0
    pattern.save()
    return _count(pattern, uses=1)


def record_outcome(pattern: LearningPattern, *, helped: bool) -> LearningPattern:
    """Count whether the pattern helped."""
    return _count(pattern, applied=1, failed=int(not helped))


def forget_patterns(rows: Any) -> int:
    """Delete the patterns among `rows` that were learned from answers, and return their number."""
    return int(rows.exclude(key="").delete()[0])


def _count(pattern: LearningPattern, **counts: Any) -> LearningPattern:
    count_evidence(LearningPattern.objects.filter(pk=pattern.pk), **counts)
    return LearningPattern.objects.get(pk=pattern.pk)


def expire_patterns() -> int:
    """Delete expired patterns of all tenants.

    Returns:
        Number of deleted patterns.
    """
    with platform_scope(reason="expire learning patterns", actor=ACTOR), connection.cursor() as cursor:
        cursor.execute(EXPIRED_SQL, {"half_life": get_half_life(), "least": MIN_CONFIDENCE})
        return int(cursor.rowcount)
