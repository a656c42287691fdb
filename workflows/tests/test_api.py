"""Tests of API behaviour specific to workflows."""

import pytest
from django.db import IntegrityError, transaction

from agents.tests.factories import AgentFactory
from config.tenancy.scope import tenant_scope
from config.testing.roles import as_platform
from tenants.models import Engagement
from tenants.tests.factories import EngagementFactory
from workflows.models import Asset, AssetEmbedding
from workflows.tests.factories import (
    ActivityFactory,
    AssetDependencyFactory,
    AssetEmbeddingFactory,
    AssetFactory,
    CalendarEventFactory,
    DiscoveryFlowFactory,
)

pytestmark = pytest.mark.django_db
JSON = "application/json"


def in_tenant(client, make, **fields):
    with tenant_scope(client.key.tenant_id, user=client.key.user_id):
        return make(**fields)


def post(client, prefix, body):
    return client.post(f"/api/v1/{prefix}/", body, content_type=JSON)


def pointers(response):
    assert response.status_code == 400
    return [error["pointer"] for error in response.json()["errors"]]


def test_workflow_is_made_with_its_agents(api_client):
    client = api_client()
    agent = in_tenant(client, AgentFactory)
    body = {"name": "Brief", "slug": "brief", "agents": [str(agent.pk)], "definition": {"steps": []}}

    response = post(client, "workflows", body)

    assert response.status_code == 201
    assert response.json()["agents"] == [str(agent.pk)]
    assert response.json()["created_by"] == str(client.key.user_id)


def test_invalid_step_is_named(api_client):
    steps = [{"id": "a", "kind": "wait", "seconds": 1}, {"id": "b", "kind": "agent"}]

    response = post(api_client(), "workflows", {"name": "n", "slug": "s", "definition": {"steps": steps}})

    assert pointers(response) == ["/definition/steps/1/agent"]


def test_unknown_choice_lists_no_row(api_client):
    response = post(api_client(), "assets", {"asset_name": "a", "asset_type": "teapot"})

    assert set(pointers(response)) == {"/asset_type", "/engagement"}


def test_dependency_on_itself_and_twice_is_refused(api_client):
    client = api_client()
    row = in_tenant(client, AssetDependencyFactory)
    body = {"source": str(row.source_id), "target": str(row.target_id), "dependency_type": "network"}

    assert post(client, "asset-dependencies", body).status_code == 409
    assert post(client, "asset-dependencies", body | {"target": str(row.source_id)}).status_code == 400


@pytest.mark.parametrize(
    "prefix", ["workflow-executions", "approvals", "agent-tasks", "agent-learning-patterns"]
)
def test_rows_of_the_system_are_not_made_by_clients(prefix, api_client):
    assert post(api_client(), prefix, {}).status_code == 405


def test_engagement_with_flows_cannot_be_deleted(scope):
    flow = DiscoveryFlowFactory()

    with pytest.raises(IntegrityError), transaction.atomic():
        Engagement.objects.filter(pk=flow.engagement_id)._raw_delete("default")
    assert Engagement.objects.filter(pk=flow.engagement_id).exists()


def test_organisation_goes_with_its_flows_assets_and_activities(tenant, member):
    with tenant_scope(tenant, user=member.user):
        DiscoveryFlowFactory()
        AssetFactory()
        ActivityFactory()
    with as_platform():
        tenant.delete()
        assert not Engagement.unscoped.filter(tenant_id=tenant.pk).exists()
        assert not Asset.unscoped.filter(tenant_id=tenant.pk).exists()


def test_unknown_types_and_scores_of_any_scale_are_kept(api_client):
    client = api_client("admin")
    engagement = in_tenant(client, EngagementFactory)
    body = {"asset_name": "Ledger", "engagement": str(engagement.pk), "completeness_score": 72.5}
    one = post(client, "assets", body).json()
    other = post(client, "assets", body | {"asset_type": None}).json()
    link = post(client, "asset-dependencies", {"source": one["id"], "target": other["id"]}).json()

    assert (one["asset_type"], one["completeness_score"]) == (None, 72.5)
    assert other["asset_type"] is None
    assert pointers(post(client, "assets", body | {"asset_type": ""})) == ["/asset_type"]
    assert (link["dependency_type"], link["discovered_by"]) == (None, None)


def test_nearest_assets_come_first_and_go_with_their_assets(scope):
    from pgvector.django import CosineDistance

    rows = [AssetEmbeddingFactory() for _ in range(3)]
    nearest = AssetEmbedding.objects.order_by(CosineDistance("embedding", rows[1].embedding)).first()
    Asset.objects.filter(pk=rows[1].pk).delete()

    assert nearest.pk == rows[1].pk
    assert not AssetEmbedding.objects.filter(pk=rows[1].pk).exists()


def test_scope_of_an_engagement_shows_its_assets_alone(tenant, member):
    with tenant_scope(tenant, user=member.user):
        mine, other = EngagementFactory(), EngagementFactory()
        asset, _ = AssetFactory(engagement=mine), AssetFactory(engagement=other)

    with tenant_scope(tenant, user=member.user, engagement=mine):
        assert list(Asset.objects.all()) == [asset]


def test_google_event_is_unique_in_a_calendar(scope):
    row = CalendarEventFactory(google_event_id="g1")
    CalendarEventFactory(google_event_id="g1")

    with pytest.raises(IntegrityError), transaction.atomic():
        CalendarEventFactory(google_event_id="g1", calendar=row.calendar)
