"""Prepared queries are reused across tenants with the right ids, or not cached."""

import pytest

from agents.api.views import AgentViewSet
from agents.models import Agent
from agents.tests.factories import AgentFactory
from config.api import prepared_queries as statements
from config.api.viewsets import ReadOnlyTenantViewSet
from config.tenancy.managers import max_id_bound
from config.tenancy.scope import tenant_scope

pytestmark = pytest.mark.django_db
AGENTS = "/api/v1/agents/"


@pytest.fixture
def kept(monkeypatch):
    found = {}
    monkeypatch.setattr(statements, "_cache", found)
    return found


def agent_of(client, **fields):
    with tenant_scope(client.key.tenant_id, user=client.key.user_id):
        return AgentFactory(**fields)


def test_cached_statement_serves_each_tenant_its_rows(kept, api_client, other_tenant):
    one, two = api_client(), api_client(tenant=other_tenant)
    agents = {client: agent_of(client) for client in (one, two)}

    for client in (one, two, one, two):
        assert [row["id"] for row in client.get(AGENTS).json()["results"]] == [str(agents[client].pk)]
        assert client.get(f"{AGENTS}{agents[client].pk}/").json()["id"] == str(agents[client].pk)
        foreign = agents[two if client is one else one]
        assert client.get(f"{AGENTS}{foreign.pk}/").status_code == 404

    assert len(kept) == 2
    assert all(statement is not None for statement in kept.values())


def test_no_id_of_a_request_stays_in_a_kept_statement(kept, api_client):
    client = api_client()
    client.get(f"{AGENTS}{agent_of(client).pk}/")

    (statement,) = kept.values()

    held = {str(client.key.tenant_id), str(client.key.user_id), str(client.key.pk)}
    assert not any(text in statement.sql for text in held)
    assert {"tenant", "row"} <= set(statement.slots)


def test_other_permissions_get_separate_statements(kept, api_client):
    for role in ("admin", "viewer"):
        api_client(role).get(AGENTS)

    assert len(kept) == 2


@pytest.mark.parametrize(
    "narrow",
    [
        lambda view, rows: rows.filter(name=str(view.credential.user_id)),
        lambda view, rows: rows.filter(name__in=["x", view.credential.tenant_slug, str(view.credential.id)]),
        lambda view, rows: rows.filter(pk__in=list(Agent.objects.values_list("pk", flat=True))),
        lambda view, rows: rows.exclude(name=view.credential.tenant_slug),
        lambda view, rows: rows.exclude(name=view.request.META["REMOTE_ADDR"]),
    ],
    ids=["derived", "derived in a list", "asks the database", "name of the tenant", "header"],
)
def test_computed_values_are_not_cached(narrow, kept, api_client, monkeypatch):
    usual = ReadOnlyTenantViewSet.get_queryset
    monkeypatch.setattr(AgentViewSet, "get_queryset", lambda view: narrow(view, usual(view)))
    client = api_client()
    agent_of(client, name=str(client.key.user_id))

    first, second = client.get(AGENTS), client.get(AGENTS)

    assert list(kept.values()) == [None]
    assert first.content == second.content
    assert first.status_code == 200


def test_compiling_does_not_change_the_view_or_request(kept, api_client, monkeypatch):
    views, bind = [], statements.bind_placeholders
    monkeypatch.setattr(
        statements, "bind_placeholders", lambda view, ids: views.append(view) or bind(view, ids)
    )
    client = api_client()

    client.get(f"{AGENTS}{agent_of(client).pk}/")

    assert len(views) == 2
    assert views[0] is views[1]
    assert views[0].credential.tenant_id == views[0].request._request.auth.tenant_id == client.key.tenant_id
    assert views[0].kwargs.keys() == {"id"}
    assert not isinstance(views[0].kwargs["id"], statements.PlaceholderId)


def test_the_user_of_the_request_gets_a_slot(kept, api_client, monkeypatch):
    usual = ReadOnlyTenantViewSet.get_queryset
    monkeypatch.setattr(
        AgentViewSet, "get_queryset", lambda view: usual(view).filter(created_by_id=view.request.user.pk)
    )
    clients = api_client(), api_client()
    for client in clients:
        agent = agent_of(client, created_by_id=client.key.user_id)
        assert [row["id"] for row in client.get(AGENTS).json()["results"]] == [str(agent.pk)]

    (statement,) = kept.values()
    assert "user" in statement.slots


def test_filters_and_cursors_are_not_kept(kept, api_client):
    client = api_client()
    agent_of(client, slug="a")
    agent_of(client, slug="b")

    assert [row["slug"] for row in client.get(f"{AGENTS}?slug=a").json()["results"]] == ["a"]
    assert [row["slug"] for row in client.get(f"{AGENTS}?slug=b").json()["results"]] == ["b"]
    assert kept == {}


def test_bounds_made_of_an_id_follow_the_id(kept, api_client):
    from conversations.tests.factories import ConversationFactory, MessageFactory

    client = api_client()
    with tenant_scope(client.key.tenant_id, user=client.key.user_id):
        conversations = [ConversationFactory(user=client.key.user) for _ in range(2)]
        said = [MessageFactory(conversation=each, sequence_number=1) for each in conversations]

    for conversation, message in zip(conversations, said, strict=True):
        page = client.get(f"/api/v1/conversations/{conversation.pk}/messages/").json()
        assert [row["id"] for row in page["results"]] == [str(message.pk)]

    (statement,) = kept.values()
    assert statement is not None
    assert "min_id:url:conversation_id" in statement.slots
    assert max_id_bound().hex in statement.sql
    strange = "/api/v1/conversations/00000000-0000-4000-8000-000000000000/messages/"
    assert client.get(strange).status_code == 404
