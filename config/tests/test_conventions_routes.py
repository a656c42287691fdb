"""Project conventions of routes: API and console expose every model and only own rows.

The query count of each list is compared with `query_baseline.json`. After an intended change, update it:
 CONCLAVE_REFRESH_BASELINE=1 pytest config/tests/test_conventions_routes.py -k baseline -p no:xdist
"""

import json
import os
import re
from pathlib import Path
from uuid import uuid4

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from agents.tests.factories import AgentFactory
from config.api.routers import build_router
from config.tenancy.scope import tenant_scope
from config.testing.factories import factory_for, project_models
from config.testing.fixtures import add_member

BASELINE = Path(__file__).with_name("query_baseline.json")
MODELS = project_models()
VIEWSETS = {prefix: viewset for prefix, viewset, _ in build_router().registry}
ROUTES = {prefix: viewset.serializer_class.Meta.model for prefix, viewset in VIEWSETS.items()}
# Some platform rows are visible to all tenants.
OWN_ROUTES = sorted(
    prefix for prefix, model in ROUTES.items() if model.row_security.get("read") not in ("true", "is_public")
)
NO_ROUTE = {
    "accounts.TwoFactorAuth": "one's own is the single resource /me/two-factor/",
    "accounts.User": "people are read through members, and oneself through /me/",
    "accounts.UserProfile": "one's own is the single resource /me/profile/",
    "accounts.UserSettings": "one's own is the single resource /me/settings/",
    "accounts.WorkProfile": "one's own is the single resource /me/work-profile/",
    "agents.AgentCollection": "part of the agent",
    "agents.BudgetReservation": "exists only during one model call",
    "agents.McpServerUser": "part of the server's configuration",
    "agents.TemplateDocument": "part of the template",
    "audit.AuditSeal": "the platform's: manage.py verify_audit",
    "conversations.AnswerLease": "who works on an answer now; the message's status says what a client needs",
    "conversations.MessageEmbedding": "derived from messages, of no use to clients",
    "conversations.TurnStep": "how a turn goes on after a crash; messages and tool executions tell its story",
    "knowledge.ChunkVector1024": "derived from chunks, of no use to clients",
    "knowledge.ChunkVector1536": "derived from chunks, of no use to clients",
    "knowledge.ChunkVector384": "derived from chunks, of no use to clients",
    "knowledge.ChunkVector768": "derived from chunks, of no use to clients",
    "knowledge.ChunkVectorDraft": "derived from chunks while a collection changes its model, of no use to clients",
    "knowledge.TermEmbedding": "derived from terms, of no use to clients",
    "knowledge.TermRelation": "part of the term",
    "tenants.IdempotencyKey": "what the API remembers of itself",
    "tenants.Tenant": "one's own is the single resource /tenant/",
    "tenants.TenantKey": "wrapped keys never leave the database",
    "workflows.AssetEmbedding": "derived from assets, of no use to clients",
    "workflows.WorkflowAgent": "part of the workflow",
}
NO_ADMIN: dict[str, str] = {}
# Values that must differ between rows of one conversation.
FURTHER = {"conversations.Participant": lambda: {"user": None, "agent": AgentFactory()}}


def label(model):
    return model._meta.label


def test_every_model_has_a_route_or_a_reason():
    assert {label(model) for model in MODELS} - {label(model) for model in ROUTES.values()} == set(NO_ROUTE)


def test_every_model_is_in_the_console_or_has_a_reason():
    assert {label(model) for model in MODELS} - {label(model) for model in admin.site._registry} == set(
        NO_ADMIN
    )


@pytest.mark.parametrize("prefix", VIEWSETS)
def test_api_and_console_ask_for_the_same_scope(prefix):
    assert admin.site._registry[ROUTES[prefix]].resource == VIEWSETS[prefix].resource


def address(prefix, row):
    """Return the URL of the list that contains `row`."""
    return "/api/v1/" + re.sub(r"<uuid:(\w+)>", lambda found: str(getattr(row, found[1])), prefix) + "/"


def make(model, tenant, user, beside=None):
    """Create a row of `user`, in the conversation of `beside` if given."""
    extra = {}
    with tenant_scope(tenant, user=user):
        if beside is not None:
            extra = FURTHER.get(label(model), dict)()
            if hasattr(beside, "conversation_id") and "<uuid:conversation_id>" in prefix_of(model):
                extra["conversation"] = beside.conversation
        return factory_for(model)(**extra)


def prefix_of(model):
    return next(prefix for prefix, each in ROUTES.items() if each is model)


@pytest.fixture
def client(api_client):
    return api_client()


@pytest.mark.parametrize("prefix", OWN_ROUTES)
def test_route_lists_own_rows_only(prefix, client, tenant, other_tenant):
    own = make(ROUTES[prefix], tenant, client.key.user)
    foreign = make(ROUTES[prefix], other_tenant, add_member(other_tenant).user)
    response = client.get(address(prefix, own))
    ids = {row["id"] for row in response.json()["results"]}

    assert response.status_code == 200
    assert str(own.pk) in ids
    assert str(foreign.pk) not in ids


@pytest.mark.parametrize("verb", ["get", "patch", "delete"])
@pytest.mark.parametrize("prefix", OWN_ROUTES)
def test_foreign_and_missing_rows_answer_alike(prefix, verb, client, tenant, other_tenant):
    own = make(ROUTES[prefix], tenant, client.key.user)
    foreign = make(ROUTES[prefix], other_tenant, add_member(other_tenant).user)
    answers = []
    for wanted in (foreign.pk, uuid4()):
        response = getattr(client, verb)(f"{address(prefix, own)}{wanted}/", content_type="application/json")
        body = response.json() | {"instance": "", "request_id": ""}
        answers.append((response.status_code, body))

    assert answers[0] == answers[1]
    assert answers[0][0] in (404, 405)


def queries_of(client, where, rows):
    with CaptureQueriesContext(connection) as captured:
        response = client.get(where)
    assert len(response.json()["results"]) >= rows
    return len(captured)


@pytest.mark.parametrize("prefix", sorted(ROUTES))
def test_list_takes_as_many_queries_for_three_rows_as_for_one_and_as_the_baseline(prefix, client, tenant):
    model, user = ROUTES[prefix], client.key.user
    first = make(model, tenant, user)
    queries_of(client, address(prefix, first), 1)
    one = queries_of(client, address(prefix, first), 1)
    for _ in range(2):
        make(model, tenant, user, beside=first)
    three = queries_of(client, address(prefix, first), 3)

    assert one == three
    assert one == baseline(prefix, one)


def baseline(prefix, counted):
    known = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    if os.environ.get("CONCLAVE_REFRESH_BASELINE") == "1":
        known = {each: known.get(each) for each in ROUTES} | {prefix: counted}
        BASELINE.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
    return known.get(prefix)


def test_baseline_names_every_route_and_no_other():
    assert set(json.loads(BASELINE.read_text())) == set(ROUTES)


OWNED = [model for model in admin.site._registry if model in MODELS and model.scope_kind != "global"]


@pytest.mark.parametrize("model", OWNED, ids=label)
def test_console_shows_own_rows_only(model, admin_client, member, tenant, other_tenant):
    own = make(model, tenant, member.user)
    foreign = make(model, other_tenant, add_member(other_tenant).user)
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    listed = admin_client.get(reverse(f"{name}_changelist"))

    assert listed.status_code in (200, 403)
    assert str(foreign.pk) not in listed.content.decode()
    assert admin_client.get(reverse(f"{name}_change", args=[foreign.pk])).status_code != 200
    if listed.status_code == 200:
        assert admin_client.get(reverse(f"{name}_change", args=[own.pk])).status_code == 200
