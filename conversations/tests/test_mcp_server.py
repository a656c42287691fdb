"""The MCP endpoint with the official client, in both protocol modes."""

import asyncio
import json
from uuid import uuid4

import pytest

from agents.models import AgentCollection
from agents.tests.factories import AgentFactory
from config.tenancy.scope import tenant_scope
from conversations.models import Conversation
from conversations.runtime.turns import Caller
from conversations.tests.factories import ConversationFactory, MessageFactory
from knowledge.models import Document, RagQuery
from knowledge.services.collections import get_or_create_collection
from knowledge.services.folder_ingestion import Ingestion

pytestmark = [pytest.mark.usefixtures("keep_rows"), pytest.mark.django_db(transaction=True)]
MODES = ["auto", "legacy", "2026-07-28"]


@pytest.fixture
def agent_with_collection(tenant, member, tmp_path):
    """An agent with a collection about tides."""
    caller = Caller(tenant.pk, member.user_id, f"user:{member.user_id}")
    (tmp_path / "tides.md").write_text("# Tides\n\nHigh water comes at noon in Emden. Low water is later.")
    with caller.scope():
        collection, _ = get_or_create_collection("sea")
    ingestion = Ingestion(tenant.pk, collection, "system:test")
    list(ingestion.run(ingestion.files(tmp_path)))
    with caller.scope():
        agent = AgentFactory(slug="guide")
        AgentCollection.objects.create(agent=agent, collection=collection)
    return agent


async def _talk(url, secret, steps, mode):
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    headers = {"Authorization": f"Bearer {secret}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        return [await step(client) for step in steps]


def call_tools(live_server, secret, *steps, mode="auto"):
    return asyncio.run(_talk(live_server.url, secret, steps, mode))


def tool(name, **arguments):
    return lambda client: client.call_tool(name, arguments)


def value(result):
    assert not result.is_error, result.content
    return result.structured_content.get("result", result.structured_content)


@pytest.mark.parametrize("mode", MODES)
def test_client_uses_all_tools(live_server, agent_with_collection, api_key, member, mode):
    key = api_key(user=member.user)
    listed, agents, collections, found, asked = call_tools(
        live_server,
        key.secret,
        lambda client: client.list_tools(),
        tool("list_agents"),
        tool("list_collections"),
        tool("search_collection", collection="sea", query="high water"),
        tool("ask_agent", agent="guide", question="When is high water?"),
        mode=mode,
    )
    assert [each.name for each in listed.tools] == [
        "list_agents",
        "list_collections",
        "search_collection",
        "ask_agent",
        "read_conversation",
        "list_workflows",
        "start_workflow",
        "read_workflow_run",
    ]
    assert [each["slug"] for each in value(agents)] == ["guide"]
    assert [each["slug"] for each in value(collections)] == ["sea"]
    assert value(found)[0]["source"] == "tides.md"
    answer = value(asked)
    assert answer["answer"].startswith("High water comes at noon in Emden.")
    assert answer["citations"][0]["source"] == "tides.md"
    (read,) = call_tools(
        live_server, key.secret, tool("read_conversation", conversation=answer["conversation"]), mode=mode
    )
    assert [each["role"] for each in value(read)["messages"]] == ["user", "assistant"]


def get_text(result):
    assert result.is_error
    return result.content[0].text


def test_key_without_scope_is_rejected(live_server, agent_with_collection, api_key, member):
    key = api_key(user=member.user, scopes=["collections:read"])
    found, agents, asked = call_tools(
        live_server,
        key.secret,
        tool("search_collection", collection="sea", query="water"),
        tool("list_agents"),
        tool("ask_agent", agent="guide", question="When?"),
    )
    assert value(found)
    with tenant_scope(agent_with_collection.tenant_id):
        assert [(row.query_text, row.user_id) for row in RagQuery.objects.all()] == [
            ("water", member.user_id)
        ]
    assert "does not grant agents:read" in get_text(agents)
    assert "does not grant conversations:write" in get_text(asked)
    with tenant_scope(agent_with_collection.tenant_id, actor="system:test"):
        assert not Conversation.objects.exists()


def test_search_has_filters(live_server, agent_with_collection, api_key, member):
    key = api_key(user=member.user)
    with tenant_scope(agent_with_collection.tenant_id, actor="system:test"):
        document = Document.objects.get()
        document.metadata, document.uploaded_at = {"tags": ["sea"]}, "2026-05-01T12:00:00Z"
        document.save()
    filters = [
        ({"documents": [str(document.pk)]}, {"documents": [str(uuid4())]}),
        ({"tags": ["sea", "x"]}, {"tags": ["x"]}),
        ({"languages": ["en"]}, {"languages": ["de"]}),
        ({"uploaded_after": "2026-05-01T12:00:00Z"}, {"uploaded_after": "2026-05-01T12:00:01Z"}),
        ({"uploaded_before": "2026-05-02T00:00:00+02:00"}, {"uploaded_before": "2026-05-01T14:00:00+02:00"}),
        ({"expand_tokens": 50, "diversity": 0.2}, {"languages": ["deu"]}),
    ]
    wanted = [
        tool("search_collection", collection="sea", query="water", **each)
        for pair in filters
        for each in pair
    ]
    *results, invalid = call_tools(live_server, key.secret, *wanted)

    assert [[row["document"] for row in value(each)] for each in results] == [[str(document.pk)], []] * 5 + [
        [str(document.pk)]
    ]
    assert "languages" in get_text(invalid)


def test_other_tenants_and_colleagues_have_no_access(
    live_server, agent_with_collection, api_key, member, other_tenant
):
    with tenant_scope(agent_with_collection.tenant_id, user=member.user):
        conversation = ConversationFactory(agent=agent_with_collection)
        MessageFactory(conversation=conversation, content="A secret.")
    foreign, colleague = api_key(tenant=other_tenant), api_key()
    steps = (
        tool("read_conversation", conversation=str(conversation.pk)),
        tool("search_collection", collection="sea", query="water"),
        tool("ask_agent", agent="guide", question="When?", conversation=str(conversation.pk)),
    )
    read, found, asked = call_tools(live_server, foreign.secret, *steps)
    assert "Conversation not found." in get_text(read)
    assert "not found" in get_text(found)
    assert "not found" in get_text(asked)
    read, _, asked = call_tools(live_server, colleague.secret, *steps)
    assert "Conversation not found." in get_text(read)
    assert "Conversation not found." in get_text(asked)


def call(client, body, **headers):
    headers = {"accept": "application/json, text/event-stream", **headers}
    return client.post("/mcp", body, content_type="application/json", headers=headers)


def test_key_is_required(client, db):
    response = call(client, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize("body", ["nonsense", "[]", "{}", '{"jsonrpc": "2.0"}', "\0", "[" * 5000])
def test_malformed_message_is_a_client_error(api_client, body):
    assert 400 <= call(api_client(), body).status_code < 500


def test_other_methods_are_not_allowed(api_client):
    client = api_client()
    assert [client.get("/mcp").status_code, client.delete("/mcp").status_code] == [405, 405]


def test_older_handshake_without_session(api_client):
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "old", "version": "1"},
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    response = call(api_client(), json.dumps(body))
    assert (response.status_code, "Mcp-Session-Id" in response.headers) == (200, False)
    assert response.json()["result"]["protocolVersion"] == "2025-06-18"
