"""Confidence and expiry of agent insights.

A new insight has `BEGINNING` confidence. Each repeated observation moves it a quarter of the way to 1. Each
application moves it towards 1 if it helped and towards 0 otherwise, less each time. Observations and helpful
applications extend the insight by `LIFETIME`.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from config.tenancy.scope import platform_scope, require_tenant_id
from knowledge.services.learning import flatten_text
from knowledge.services.similarity import embed_query, embed_texts, find_nearest, get_embedder_name
from workflows.models import AgentLearningPattern

DIMENSIONS = 1536
DUPLICATE_DISTANCE = 0.1
INITIAL_CONFIDENCE, CONFIRMATION_WEIGHT = 0.5, 0.25
LIFETIME = timedelta(days=180)
FORGOTTEN = 0.05
ACTOR = "system:upkeep"
LOCK_SQL = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
EXPIRED_SQL = "DELETE FROM workflows_agentlearningpattern WHERE expires_at <= now() OR confidence_score < %s"


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
    with connection.cursor() as cursor:
        # Without the lock, two agents that observe the same thing would each create an insight.
        cursor.execute(LOCK_SQL, [f"insights:{require_tenant_id()}"])
    (vector,) = embed_texts([flatten_text(evidence)], DIMENSIONS)
    rows = _valid_insights(insight_type, None).filter(engagement_id=engagement_id)
    near = find_nearest(rows, vector, 1)
    if near and near[0].distance <= DUPLICATE_DISTANCE:
        found = AgentLearningPattern.objects.select_for_update().get(pk=near[0].pk)
        found.confidence_score = _move_confidence(found.confidence_score, 1.0, CONFIRMATION_WEIGHT)
    else:
        found = AgentLearningPattern(
            insight_type=insight_type,
            raw_evidence=evidence,
            discovered_by=discovered_by[:100],
            engagement_id=engagement_id,
            master_flow_id=master_flow_id,
            embedding=vector,
            embedding_model=get_embedder_name(),
            confidence_score=INITIAL_CONFIDENCE,
        )
    found.expires_at = timezone.now() + LIFETIME
    found.save()
    found.refresh_from_db()
    return found


@transaction.atomic
def record_application(insight: AgentLearningPattern, *, helped: bool) -> AgentLearningPattern:
    """Record that an insight was applied and whether it helped."""
    insight = AgentLearningPattern.objects.select_for_update().get(pk=insight.pk)
    verdict, count = float(helped), insight.applied_count + 1
    before = verdict if insight.success_rate is None else insight.success_rate
    insight.applied_count = count
    insight.success_rate = before + (verdict - before) / count
    insight.confidence_score = _move_confidence(insight.confidence_score, verdict, 1 / (count + 1))
    insight.last_applied_at = timezone.now()
    if helped and insight.expires_at is not None:
        insight.expires_at = max(insight.expires_at, insight.last_applied_at + LIFETIME)
    insight.save()
    return insight


def _move_confidence(confidence: float | None, goal: float, share: float) -> float:
    now = INITIAL_CONFIDENCE if confidence is None else confidence
    return min(1.0, max(0.0, now + (goal - now) * share))


def expire_insights() -> int:
    """Delete the expired and unhelpful insights of all tenants and return their number."""
    with platform_scope(reason="expire agent insights", actor=ACTOR), connection.cursor() as cursor:
        cursor.execute(EXPIRED_SQL, [FORGOTTEN])
        return int(cursor.rowcount)
