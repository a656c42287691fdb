"""Turns against malicious endpoints and agent configurations."""

import json

import pytest
from django.db import connection

from agents.models import LlmUsage
from agents.testing import FakeOpenAI, ScriptedReply, call_tool, say
from agents.tests.factories import AgentCollectionFactory, AgentFactory, IntegrationFactory
from config.tenancy.scope import tenant_scope
from conversations.models import Conversation, Message
from conversations.runtime.journal import strip_unstorable
from conversations.runtime.turn_results import MAX_TOKEN_COUNT
from knowledge.models import RagQuery
from tenants.models import IdempotencyKey

URL = "/api/v1/conversations/"


@pytest.fixture
def endpoint(tenant):
    """Return a function that creates an agent with the given server."""

    def make(server, platform="openai-compatible", **fields):
        settings = {"slug": "guide", "model_provider": platform, "model_name": "m", "timeout": 5} | fields
        with tenant_scope(tenant, actor="system:test"):
            integration = IntegrationFactory(base_url=server.base_url, platform=platform)
            return AgentFactory(**settings, integration=integration)

    return make


def ask(client, message="When is high water?", **headers):
    body = {"agent": "guide", "message": message}
    return client.post(URL, body, content_type="application/json", headers=headers or None)


def states(tenant):
    with tenant_scope(tenant, actor="system:test"):
        return list(Message.objects.filter(role="assistant").values_list("status", "content"))


def with_usage(tokens, message=None, model="m"):
    message = {"role": "assistant", "content": "Fine."} | (message or {})
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    usage = {"prompt_tokens": tokens, "completion_tokens": tokens, "total_tokens": 2 * tokens}
    head = {"id": "x", "object": "chat.completion", "created": 1, "model": model}
    return ScriptedReply(raw=json.dumps(head | {"choices": [choice], "usage": usage}).encode())


def searching():
    function = {"name": "search_knowledge", "arguments": '{"query": "tides"}'}
    return {"content": None, "tool_calls": [{"id": "c1", "type": "function", "function": function}]}


def test_unstorable_text_is_cleaned(api_client, endpoint, tenant):
    with FakeOpenAI(say("At\x00 noon.")) as server:
        endpoint(server)
        response = ask(api_client())
    assert response.status_code == 201, response.content
    assert states(tenant) == [("completed", "At noon.")]


def test_lone_surrogates_are_replaced():
    assert strip_unstorable("a\ud800b\0c") == "a?bc"


def test_unstorable_query_is_cleaned(api_client, endpoint, tenant):
    with FakeOpenAI(call_tool("search_knowledge", query="high\x00 water"), say("No.")) as server:
        agent = endpoint(server)
        with tenant_scope(tenant, actor="system:test"):
            AgentCollectionFactory(agent=agent)
        response = ask(api_client())
    assert response.status_code == 201, response.content
    with tenant_scope(tenant, actor="system:test"):
        assert RagQuery.objects.get().query_text == "high water"


def test_token_counts_are_clamped(api_client, endpoint, tenant):
    with FakeOpenAI(with_usage(10**12)) as server:
        endpoint(server)
        response = ask(api_client())
    assert response.status_code == 201, response.content
    with tenant_scope(tenant, actor="system:test"):
        assert LlmUsage.objects.get().total_tokens == 2 * MAX_TOKEN_COUNT


def test_an_answer_that_cannot_be_stored_fails_the_turn(api_client, endpoint, tenant):
    # The endpoint reports usage whose cost exceeds the cost column.
    calls = [with_usage(10**12, each, "o1-pro") for each in (searching(), None)]
    with FakeOpenAI(*calls) as server:
        endpoint(server, platform="openai", model_name="o1-pro")
        response = ask(api_client(), **{"idempotency-key": "once"})
    assert (response.status_code, response.json()["code"]) == (502, "bad_response"), response.content
    assert states(tenant) == [("failed", "")]
    with tenant_scope(tenant, actor="system:test"):
        assert not IdempotencyKey.objects.exists()


class DeletingEndpoint(FakeOpenAI):
    """Deletes all conversations of `tenant` before it answers."""

    tenant = None

    def take(self, request):
        with tenant_scope(self.tenant, actor="system:test"):
            Conversation.objects.all().delete()
        connection.close()
        return super().take(request)


@pytest.mark.django_db(transaction=True)
def test_deleted_conversation_releases_idempotency_key(api_client, endpoint, tenant):
    with DeletingEndpoint(say("Gone.")) as server:
        server.tenant = tenant
        endpoint(server)
        response = ask(api_client(), **{"idempotency-key": "once"})
    assert response.status_code == 404, response.content
    with tenant_scope(tenant, actor="system:test"):
        assert not IdempotencyKey.objects.exists()


def test_a_key_is_not_sent_to_another_provider(api_client, endpoint, tenant):
    with FakeOpenAI(say("Thanks for the key.")) as server:
        endpoint(server, model_provider="ollama")
        response = ask(api_client())
    assert (response.status_code, response.json()["code"]) == (409, "misconfigured")
    assert server.requests == []
