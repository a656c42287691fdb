"""A scope of one engagement reaches no row of another one, in SQL, by API or in the console."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.tests.factories import RoleAssignmentFactory, RoleFactory
from config.api.request_counts import flush_request_counts
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from config.testing.isolation.engagements import (
    ENGAGEMENT_ATTACKS,
    engagement_mutations,
    engagement_targets,
    list_engagement_models,
    run_engagement_matrix,
)
from config.testing.isolation.fixtures import create_attack_fixture
from config.testing.isolation.mutations import run_mutation
from tenants.models import MeterEvent
from tenants.tests.factories import EngagementFactory
from workflows.models import Asset
from workflows.tests.factories import AssetFactory

ASSETS = "/api/v1/assets/"


@pytest.fixture
def attack_fixture(transactional_db):
    return create_attack_fixture(1)


@pytest.mark.security("engagement in SQL")
def test_an_engagement_reaches_no_row_of_another_in_sql(attack_fixture, attacks):
    report = run_engagement_matrix(attack_fixture)
    found = {(each.attack, each.table): each.what for each in report.findings}

    assert report.attempts == len(list_engagement_models()) * len(ENGAGEMENT_ATTACKS)
    for target in engagement_targets(attack_fixture):
        for name in ENGAGEMENT_ATTACKS:
            what = found.get((name, target.table))
            attacks.attempt(f"{name} on {target.table}: {what}", succeeded=bool(what))


@pytest.mark.security("engagement in SQL", mutation=True)
def test_every_removed_engagement_policy_is_caught(attack_fixture, attacks):
    outcomes = [run_mutation(each, attack_fixture) for each in engagement_mutations()]
    for each in outcomes:
        attacks.attempt(each.name, succeeded=each.caught)

    assert [(each.name, each.what) for each in outcomes if not each.caught] == []


@dataclass
class Team:
    """An engagement with an asset, and a guest of the tenant with a role in it."""

    engagement: Any
    asset: Any
    user: Any
    clients: dict[str, Client]


@pytest.fixture
def teams(tenant, api_key):
    """Two teams of one tenant."""
    return [_make_team(tenant, api_key, name) for name in ("Data centre exit", "Mail migration")]


def _make_team(tenant, api_key, name):
    guest = add_member(tenant, "guest").user
    with tenant_scope(tenant, actor="system:test"):
        engagement = EngagementFactory(name=name)
        asset = AssetFactory(engagement=engagement, asset_name=f"server of {name}")
        role = RoleFactory(permissions=["*:*"])
        RoleAssignmentFactory(user=guest, role=role, scope="engagement", engagement=engagement)
    open_key, bound_key = api_key(user=guest), api_key(user=guest, engagement=engagement)
    named = {"authorization": f"Bearer {open_key.secret}", "x-engagement": str(engagement.pk)}
    session = Client()
    session.force_login(guest)
    clients = {
        "header": Client(headers=named),
        "bound key": Client(headers={"authorization": f"Bearer {bound_key.secret}"}),
        "session": session,
    }
    return Team(engagement, asset, guest, clients)


def names(response):
    assert response.status_code == 200, response.content
    return [each["asset_name"] for each in response.json()["results"]]


@pytest.mark.django_db
@pytest.mark.security("engagement by request")
def test_each_team_works_in_its_engagement_alone(teams, attacks):
    one, two = teams
    for kind, client in one.clients.items():
        shown = names(client.get(ASSETS))
        assert one.asset.asset_name in shown, kind
        attacks.attempt(f"{kind}: list", succeeded=two.asset.asset_name in shown)
        made = client.post(ASSETS, {"asset_name": kind, "asset_type": "server"}, "application/json")
        assert made.status_code == 201, made.content
        assert made.json()["engagement"] == str(one.engagement.pk)
        foreign = f"{ASSETS}{two.asset.pk}/"
        change = json.dumps({"asset_name": "taken"})
        body = json.dumps({"asset_name": "x", "asset_type": "server", "engagement": str(two.engagement.pk)})
        for response in (
            client.get(foreign),
            client.patch(foreign, change, "application/json"),
            client.delete(foreign),
            client.post(ASSETS, body, "application/json"),
            client.get(ASSETS, headers={"x-engagement": str(two.engagement.pk)}),
            # Everything that belongs to the whole tenant, although the role in the engagement has every permission.
            client.get("/api/v1/agents/"),
            client.get("/api/v1/members/"),
            client.get("/api/v1/api-keys/"),
        ):
            attacks.attempt(f"{kind}: {response.request['PATH_INFO']}", succeeded=response.status_code < 400)
    with tenant_scope(two.asset.tenant_id, actor="system:test"):
        assert Asset.objects.get(pk=two.asset.pk).asset_name == two.asset.asset_name


@pytest.mark.django_db
@pytest.mark.security("engagement by request", mutation=True)
def test_roles_in_an_engagement_would_grant_everywhere(teams, attacks, monkeypatch):
    monkeypatch.setattr("accounts.services.engagement_access.engagement_scopes", frozenset)
    response = teams[0].clients["header"].get("/api/v1/agents/")
    attacks.attempt("agents of the tenant", succeeded=response.status_code == 200)


@pytest.mark.django_db
def test_usage_is_counted_for_the_engagement(teams, settings):
    settings.REQUEST_COUNT_SECONDS = 3600
    flush_request_counts()
    engagement = teams[0].engagement
    names(teams[0].clients["header"].get(ASSETS))
    flush_request_counts()
    with tenant_scope(engagement.tenant_id, actor="system:test"):
        counted = MeterEvent.objects.get(engagement_id=engagement.pk, metric_type="api_calls")
    assert (counted.quantity, counted.service, counted.user_id) == (1, "assets", teams[0].user.pk)


@pytest.mark.django_db
def test_an_unnamed_engagement_grants_nothing(teams, api_key):
    key = api_key(user=teams[0].user)
    response = Client(headers={"authorization": f"Bearer {key.secret}"}).get(ASSETS)
    assert response.status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize("named", ["nonsense", "00000000-0000-7000-8000-000000000000"])
def test_unknown_and_foreign_engagements_are_not_found(named, api_client):
    response = api_client("admin").get(ASSETS, headers={"x-engagement": named})
    assert (response.status_code, response.json()["code"]) == (404, "engagement_not_found")


@pytest.mark.django_db
def test_an_administrator_sees_all_engagements_or_the_named_one(teams, api_client):
    client = api_client("admin")
    assert len(names(client.get(ASSETS))) == 2
    assert names(client.get(ASSETS, headers={"x-engagement": str(teams[1].engagement.pk)})) == [
        teams[1].asset.asset_name
    ]
    # The compiled statement of the first request has no engagement.
    assert len(names(client.get(ASSETS))) == 2


@pytest.mark.django_db
def test_an_expired_role_no_longer_opens_its_engagement(teams, tenant):
    with tenant_scope(tenant, actor="system:test"):
        teams[0].user.role_assignments.update(is_active=False)
    for kind, client in teams[0].clients.items():
        assert client.get(ASSETS).status_code in (403, 404), kind


@pytest.mark.django_db
@pytest.mark.security("engagement by request")
def test_the_console_is_limited_to_the_chosen_engagement(teams, admin_client, attacks):
    one, two = teams
    page, choose = reverse("admin:workflows_asset_changelist"), reverse("admin:engagement")
    assert two.asset.asset_name in admin_client.get(page).content.decode()
    assert one.engagement.name in admin_client.get(choose).content.decode()
    assert admin_client.post(choose, {"engagement": str(one.engagement.pk)}).status_code == 302
    shown = admin_client.get(page).content.decode()
    assert one.asset.asset_name in shown
    assert one.engagement.name in shown
    attacks.attempt("asset in the list", succeeded=two.asset.asset_name in shown)
    change = reverse("admin:workflows_asset_change", args=[two.asset.pk])
    attacks.attempt("asset by its page", succeeded=admin_client.get(change).status_code == 200)
    guest = one.clients["session"]
    attacks.attempt(
        "a guest chooses another engagement",
        succeeded=guest.post(choose, {"engagement": str(two.engagement.pk)}).status_code != 404,
    )
    attacks.attempt("a guest's list", succeeded=two.asset.asset_name in guest.get(page).content.decode())
    assert admin_client.post(choose, {"engagement": ""}).status_code == 302
    assert two.asset.asset_name in admin_client.get(page).content.decode()
