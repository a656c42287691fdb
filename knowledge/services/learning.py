"""Learning patterns: confidence grows with recurrence and decays without it.

Confidence is `seen / (seen + 2)`, multiplied by the success rate once it is known. It halves with every `HALF_LIFE`
since the pattern was last seen; a pattern below `FORGOTTEN` is deleted.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from config.tenancy.scope import platform_scope, require_scope
from knowledge.models import LearningPattern
from knowledge.services.similarity import embed_query, embed_texts, find_nearest, get_embedder_name

DIMENSIONS = 1536
SAME_PATTERN_DISTANCE = 0.1
PRIOR = 2
HALF_LIFE = timedelta(days=60)
MIN_CONFIDENCE = 0.05
ACTOR = "system:upkeep"
EXPIRED_SQL = """
DELETE FROM knowledge_learningpattern
WHERE confidence * 0.5 ^ (extract(epoch FROM now() - last_seen_at) / %s)::numeric < %s
"""


def compute_confidence(seen: int, helped: Decimal | None) -> Decimal:
    """Return the confidence of a pattern, from 0 to 1."""
    share = Decimal(1) if helped is None else helped
    return (Decimal(seen) / (seen + PRIOR) * share).quantize(Decimal("0.0001"))


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
        return _record_recurrence(near[0].pk)
    pattern = LearningPattern(user_id=user_id, pattern_type=pattern_type, data=data)  # type: ignore[misc]
    (pattern.embedding,) = embed_texts([flatten_text(data)], DIMENSIONS)
    pattern.embedding_model, pattern.confidence = get_embedder_name(), compute_confidence(1, None)
    pattern.save()
    pattern.refresh_from_db()
    return pattern


def _record_recurrence(pattern_id: UUID) -> LearningPattern:
    pattern = LearningPattern.objects.select_for_update().get(pk=pattern_id)
    pattern.occurrences += 1
    pattern.last_seen_at = timezone.now()
    pattern.confidence = compute_confidence(pattern.occurrences, pattern.success_rate)
    pattern.save()
    return pattern


@transaction.atomic
def record_outcome(pattern: LearningPattern, *, helped: bool) -> LearningPattern:
    """Update the success rate, weighting by occurrences, with whether the pattern helped."""
    pattern = LearningPattern.objects.select_for_update().get(pk=pattern.pk)
    verdict = Decimal(int(helped))
    before = pattern.success_rate
    rate = verdict if before is None else before + (verdict - before) / (pattern.occurrences + 1)
    pattern.success_rate = rate.quantize(Decimal("0.0001"))
    pattern.last_seen_at = timezone.now()
    pattern.confidence = compute_confidence(pattern.occurrences, pattern.success_rate)
    pattern.save()
    return pattern


def expire_patterns() -> int:
    """Delete expired patterns of all tenants.

    Returns:
        Number of deleted patterns.
    """
    with platform_scope(reason="expire learning patterns", actor=ACTOR), connection.cursor() as cursor:
        cursor.execute(EXPIRED_SQL, [HALF_LIFE.total_seconds(), MIN_CONFIDENCE])
        return int(cursor.rowcount)
