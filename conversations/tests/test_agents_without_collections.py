"""Agents without collections: no search tool and no instructions about it."""

import json
import re

import pytest

from agents.models import Agent, AgentCollection
from agents.testing import FakeOpenAI, say
from agents.tests.factories import AgentFactory, IntegrationFactory
from config.tenancy.scope import tenant_scope
from knowledge.services.collections import get_or_create_collection

SEARCH_WORDS = re.compile(r"search|knowledge|passage|cite", re.IGNORECASE)
SCHEMA = {"type": "object", "properties": {"hour": {"type": "integer"}}}


@pytest.fixture
def request_of(api_client, tenant):
    """Return a function that asks an agent and returns the first request to its model."""

    def ask(*, collections=(), **fields):
        client = api_client()
        with FakeOpenAI(say("At noon.")) as server:
            with tenant_scope(tenant, actor="system:test"):
                model = {"model_provider": "openai-compatible", "model_name": "m"}
                agent = AgentFactory(
                    slug="guide", integration=IntegrationFactory(base_url=server.base_url), **model, **fields
                )
                for slug in collections:
                    AgentCollection.objects.create(agent=agent, collection=get_or_create_collection(slug)[0])
            client.post(
                "/api/v1/conversations/",
                {"agent": "guide", "message": "When is high water?"},
                content_type="application/json",
            )
            return server.requests[0].body

    return ask


@pytest.mark.parametrize(
    "fields",
    [{}, {"system_prompt": "Be brief."}, {"tools": ["calculator"]}, {"config": {"output_schema": SCHEMA}}],
    ids=["default", "prompt", "tool", "schema"],
)
def test_agent_without_collections_has_no_search(request_of, fields):
    assert not SEARCH_WORDS.search(json.dumps(request_of(**fields)))


def test_agent_with_a_collection_has_search(request_of):
    sent = request_of(collections=["sea"])
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["search_knowledge"]
    prompt = sent["messages"][0]["content"]
    assert Agent._meta.get_field("system_prompt").default in prompt
    assert "Search with the tool search_knowledge before you answer." in prompt
