"""Insights of agents, with the confidence of `knowledge.services.confidence`.

Observations and helpful applications extend an insight by `LIFETIME`.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Case, Q, When
from django.db.models.functions import Greatest
from django.utils import timezone

from config.tenancy.scope import platform_scope, require_scope, require_tenant_id
from knowledge.services.confidence import count_evidence, current_confidence_sql, get_half_life
from knowledge.services.learning import flatten_text
from knowledge.services.similarity import embed_query, embed_texts, find_nearest, get_embedder_name
from workflows.models import AgentLearningPattern

DIMENSIONS = 1536
DUPLICATE_DISTANCE = 0.1
LIFETIME = timedelta(days=180)
FORGOTTEN = 0.05
ACTOR = "system:upkeep"
LOCK_SQL = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
EXPIRED_SQL = f"""
DELETE FROM workflows_agentlearningpattern p
WHERE expires_at <= now() OR NOT validated AND {current_confidence_sql("p", "confidence_score")} < %(least)s
"""


def _valid_insights(insight_type: str, engagement_id: UUID | None) -> Any:
    """Return the unexpired insights of the engagement and those without an engagement."""
    rows = AgentLearningPattern.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=timezone.now()), embedding_model=get_embedder_name()
    )
    if insight_type:
        rows = rows.filter(insight_type=insight_type)
    return rows.filter(Q(engagement_id=engagement_id) | Q(engagement_id=None)) if engagement_id else rows


def similar_insights(
    text: str, *, insight_type: str = "", engagement_id: UUID | None = None, limit: int = 10
) -> list[AgentLearningPattern]:
    """Return the unexpired insights most similar to `text`, each with its `distance`."""
    return find_nearest(_valid_insights(insight_type, engagement_id), embed_query(text, DIMENSIONS), limit)


@transaction.atomic
def observe_insight(
    insight_type: str,
    evidence: dict[str, Any],
    *,
    discovered_by: str = "",
    engagement_id: UUID | None = None,
    master_flow_id: UUID | None = None,
) -> AgentLearningPattern:
    """Record an observation; confirm a similar insight of the same type and engagement, if any."""
    engagement_id = engagement_id or require_scope().engagement_id
    with connection.cursor() as cursor:
        # Without the lock, two agents that observe the same thing would each create an insight.
        cursor.execute(LOCK_SQL, [f"insights:{require_tenant_id()}"])
    (vector,) = embed_texts([flatten_text(evidence)], DIMENSIONS)
    rows = _valid_insights(insight_type, None).filter(engagement_id=engagement_id)
    near = find_nearest(rows, vector, 1)
    found = near[0] if near and near[0].distance <= DUPLICATE_DISTANCE else None
    if found is None:
        found = AgentLearningPattern(
            insight_type=insight_type,
            raw_evidence=evidence,
            discovered_by=discovered_by[:100],
            engagement_id=engagement_id,
            master_flow_id=master_flow_id,
            embedding=vector,
            embedding_model=get_embedder_name(),
            occurrences=0,
        )
        found.save()
    return _count(found, uses=1, expires_at=timezone.now() + LIFETIME)


def record_application(insight: AgentLearningPattern, *, helped: bool) -> AgentLearningPattern:
    """Record that an insight was applied and whether it helped."""
    now = timezone.now()
    changes: dict[str, Any] = {"last_applied_at": now}
    if helped:
        # An insight without an expiry keeps none.
        changes["expires_at"] = Case(
            When(expires_at__isnull=False, then=Greatest("expires_at", now + LIFETIME))
        )
    return _count(insight, applied=1, failed=int(not helped), **changes)


def confirm_insight(insight: AgentLearningPattern, *, validated: bool) -> AgentLearningPattern:
    """Store whether a user confirmed the insight. A confirmed one is not deleted for a low confidence."""
    insight.validated = validated
    insight.save(update_fields=["validated", "updated_at"])
    return insight


def _count(insight: AgentLearningPattern, **counts: Any) -> AgentLearningPattern:
    count_evidence(AgentLearningPattern.objects.filter(pk=insight.pk), field="confidence_score", **counts)
    return AgentLearningPattern.objects.get(pk=insight.pk)


def expire_insights() -> int:
    """Delete the expired and unhelpful insights of all tenants and return their number."""
    with platform_scope(reason="expire agent insights", actor=ACTOR), connection.cursor() as cursor:
        cursor.execute(EXPIRED_SQL, {"half_life": get_half_life(), "least": FORGOTTEN})
        return int(cursor.rowcount)
