"""Privacy of session state, stream events and session summaries."""

import pytest

from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from conversations.tests.factories import (
    AttachmentFactory,
    ConversationFactory,
    McpToolExecutionFactory,
    SessionStateFactory,
    SessionSummaryFactory,
    StreamEventFactory,
)


def create_as_colleague(factory, tenant):
    colleague = add_member(tenant).user
    with tenant_scope(tenant, user=colleague):
        return factory(conversation=ConversationFactory(user=colleague))


@pytest.mark.parametrize(
    ("name", "factory"),
    [
        ("attachments", AttachmentFactory),
        ("mcp-tool-executions", McpToolExecutionFactory),
        ("stream-events", StreamEventFactory),
    ],
)
def test_colleagues_conversation_is_hidden(name, factory, api_client, tenant):
    row, client = create_as_colleague(factory, tenant), api_client()
    address = f"/api/v1/conversations/{row.conversation_id}/{name}/"

    assert client.get(address).status_code == 404
    assert client.get(f"{address}{row.pk}/").status_code == 404


@pytest.mark.parametrize(
    ("name", "factory"),
    [("session-states", SessionStateFactory), ("session-summaries", SessionSummaryFactory)],
)
def test_a_colleagues_session_is_hidden(name, factory, api_client, tenant):
    row, client = create_as_colleague(factory, tenant), api_client()

    assert client.get(f"/api/v1/{name}/").json()["results"] == []
    assert client.get(f"/api/v1/{name}/{row.pk}/").status_code == 404


def test_only_session_rating_can_be_changed(api_client, tenant):
    client = api_client()
    with tenant_scope(tenant, user=client.key.user):
        row = SessionSummaryFactory()
    address = f"/api/v1/session-summaries/{row.pk}/"

    refused = client.patch(address, {"session_rating": 4, "summary": "x"}, content_type="application/json")
    changed = client.patch(address, {"session_rating": 4}, content_type="application/json")

    assert refused.json()["errors"][0]["pointer"] == "/summary"
    assert (changed.json()["session_rating"], changed.json()["summary"]) == (4, row.summary)
    assert client.patch(address, {"session_rating": 6}, content_type="application/json").status_code == 400
