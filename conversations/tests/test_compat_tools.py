"""Agent tools in the compatible APIs: approvals are rejected, MCP tools work."""

import pytest

from agents.models import Agent
from agents.services.agents import publish_agent
from agents.testing import FakeOpenAI, call_tool, say
from agents.tests.factories import AgentFactory, IntegrationFactory, McpServerConfigFactory, McpServerFactory
from config.tenancy.scope import tenant_scope
from conversations.models import ToolExecution

CALCULATION = call_tool("calculator", expression="6 * 7")
CHAT = "/v1/chat/completions"


@pytest.fixture
def ask_agent(api_client, tenant):
    """Return a function that asks an agent and returns the response and the endpoint."""

    def ask(*script, prepare=lambda agent: None, **fields):
        client = api_client()
        with FakeOpenAI(*script) as server:
            with tenant_scope(tenant, user=client.key.user, actor="system:test"):
                account = IntegrationFactory(base_url=server.base_url)
                house = {"slug": "guide", "model_provider": "openai-compatible", "integration": account}
                prepare(AgentFactory(**house, model_name="m", **fields))
            body = {"model": "guide", "messages": [{"role": "user", "content": "How much?"}]}
            return client.post(CHAT, body, content_type="application/json"), server

    return ask


def test_tool_requiring_approval_fails_with_message(ask_agent, tenant):
    answer, _ = ask_agent(CALCULATION, say("42"), tools=["calculator"], approvals=["calculator"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "approval_needed")
    with tenant_scope(tenant):
        assert not ToolExecution.objects.exists()


def test_tools_of_mcp_servers_are_offered(ask_agent):
    def configured(agent):
        tools = [{"name": "read", "inputSchema": {"type": "object"}}]
        McpServerConfigFactory(mcp_server=McpServerFactory(slug="files", tool_definitions=tools))

    answer, endpoint = ask_agent(say("Done."), prepare=configured, tools=["mcp:files"])
    assert answer.status_code == 200, answer.content
    offered = [tool["function"]["name"] for tool in endpoint.requests[0].body["tools"]]
    assert offered == ["files__read"]


def test_the_published_version_answers(ask_agent):
    def published(agent):
        publish_agent(agent)
        Agent.objects.filter(pk=agent.pk).update(system_prompt="A draft.")

    answer, endpoint = ask_agent(say("Done."), prepare=published, system_prompt="As it was published.")
    assert answer.status_code == 200, answer.content
    instructions = endpoint.requests[0].body["messages"][0]["content"]
    assert instructions.startswith("As it was published.")
