"""Tests of agent insights: confidence, application and expiry."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from config.tenancy.scope import tenant_scope
from tenants.models import Engagement
from tenants.tests.factories import EngagementFactory, TenantFactory
from workflows.models import AgentLearningPattern
from workflows.services.learning import (
    confirm_insight,
    expire_insights,
    observe_insight,
    record_application,
    similar_insights,
)
from workflows.tests.factories import AgentLearningPatternFactory

ACTOR, JSON = "system:test", "application/json"
KIND = "risk_pattern"
BACKUP = {"seen": "servers without a backup", "where": "data centre north"}
LICENCE = {"seen": "licences that end before the move"}


def test_repeated_insight_gains_confidence(scope):
    first = observe_insight(KIND, BACKUP, discovered_by="scanner")
    again = observe_insight(KIND, BACKUP, discovered_by="scanner")
    other = observe_insight(KIND, LICENCE)
    assert first.pk == again.pk
    assert [first.confidence_score, again.confidence_score] == pytest.approx([1 / 4.8416, 2 / 5.8416])
    assert other.pk != first.pk
    assert AgentLearningPattern.objects.count() == 2


def test_other_type_or_project_is_another_insight(scope):
    project = EngagementFactory()
    found = {
        observe_insight(KIND, BACKUP).pk,
        observe_insight("anomaly_detection", BACKUP).pk,
        observe_insight(KIND, BACKUP, engagement_id=project.pk).pk,
    }
    assert len(found) == 3
    here = similar_insights("servers without backup", insight_type=KIND, engagement_id=EngagementFactory().pk)
    assert [insight.engagement_id for insight in here] == [None]


def test_confidence_of_an_insight_follows_feedback(scope):
    insight = observe_insight(KIND, BACKUP)
    helped = record_application(insight, helped=True)
    assert (helped.applied_count, helped.success_rate) == (1, 1.0)
    assert helped.confidence_score == pytest.approx(1 / 4.8416)
    failed = record_application(insight, helped=False)
    assert (failed.applied_count, failed.success_rate) == (2, 0.5)
    assert failed.confidence_score == pytest.approx(0.0945, abs=1e-4)
    assert failed.last_applied_at is not None


def test_the_nearest_insight_comes_first_and_expired_ones_never(scope):
    backup, licence = observe_insight(KIND, BACKUP), observe_insight(KIND, LICENCE)
    assert [found.pk for found in similar_insights("which servers have no backup")] == [backup.pk, licence.pk]
    AgentLearningPattern.objects.filter(pk=backup.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert [found.pk for found in similar_insights("which servers have no backup")] == [licence.pk]


def test_expired_and_unhelpful_insights_are_deleted(tenant):
    with tenant_scope(tenant, actor=ACTOR):
        topics = ("tides", "moons", "stars", "winds")
        kept, late, useless, confirmed = (observe_insight(KIND, {"seen": topic}) for topic in topics)
        late.expires_at = timezone.now() - timedelta(hours=1)
        late.save()
        for _ in range(20):
            record_application(useless, helped=False)
            confirmed = record_application(confirmed, helped=False)
        confirm_insight(confirmed, validated=True)
    assert expire_insights() == 2
    with tenant_scope(tenant, actor=ACTOR):
        left = AgentLearningPattern.objects.order_by("pk").values_list("pk", flat=True)
        assert list(left) == [kept.pk, confirmed.pk]


def test_concurrent_observations_create_one_insight(transactional_db):
    tenant = TenantFactory()

    def find():
        with tenant_scope(tenant, actor=ACTOR):
            observe_insight(KIND, BACKUP)
        connection.close()

    agents = [threading.Thread(target=find) for _ in range(4)]
    for agent in agents:
        agent.start()
    for agent in agents:
        agent.join()
    with tenant_scope(tenant, actor=ACTOR):
        assert AgentLearningPattern.objects.get().occurrences == 4


def test_api_records_applies_and_finds_insights(api_client, other_tenant):
    client = api_client()

    def post(path, body):
        return client.post(f"/api/v1/agent-learning-patterns/{path}", body, content_type=JSON)

    with tenant_scope(other_tenant, actor=ACTOR):
        foreign, hidden = EngagementFactory(), observe_insight(KIND, BACKUP)
    made = post("observe/", {"insight_type": KIND, "raw_evidence": BACKUP, "discovered_by": "scanner"}).json()
    assert post(f"{made['id']}/outcome/", {"helped": True}).json()["success_rate"] == 1.0
    assert post(f"{made['id']}/confirm/", {"validated": True}).json()["validated"] is True
    found = post("similar/", {"text": "servers without a backup"}).json()["results"]
    assert [each["insight"]["id"] for each in found] == [made["id"]]
    refused = post("observe/", {"insight_type": KIND, "raw_evidence": BACKUP, "engagement": str(foreign.pk)})
    assert refused.status_code == 400
    assert post(f"{hidden.pk}/outcome/", {"helped": True}).status_code == 404


def delete_in_database(row):
    """Delete a row without the rules that Django applies before."""
    row._meta.default_manager.filter(pk=row.pk)._raw_delete("default")


@pytest.mark.parametrize("delete", [Engagement.delete, delete_in_database])
@pytest.mark.security("learned patterns of others")
def test_patterns_are_deleted_with_their_engagement(tenant, attacks, delete):
    with tenant_scope(tenant, actor=ACTOR):
        inside, other = EngagementFactory(), EngagementFactory()
        # Two patterns of engagements, one of the organisation, all with the same key.
        for engagement in (inside, other, None):
            AgentLearningPatternFactory(key="agent:1:model:m", engagement=engagement)
        observed = AgentLearningPatternFactory(engagement=inside)
        delete(inside)
        rows = AgentLearningPattern.objects
        assert set(rows.values_list("key", "engagement_id")) == {
            ("agent:1:model:m", other.pk),
            ("agent:1:model:m", None),
            (observed.key, None),
        }
        rows.filter(engagement=None).delete()
        delete(other)
        attacks.attempt(succeeded=rows.exists())
