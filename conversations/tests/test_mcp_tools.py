"""MCP tools of agents: records, limits and permissions."""

import pytest

from agents.models import McpServer
from agents.testing import FakeOpenAI, call_tool, say
from agents.tests.factories import McpServerConfigFactory
from agents.tests.test_mcp import COMMAND, sandbox
from config.testing.roles import as_platform
from conversations.models import McpToolExecution, ToolExecution
from conversations.tests.test_tools import agent_of, ask, caller, get_tool_results

__all__ = ["agent_of", "caller", "sandbox"]
ADD = {
    "name": "add",
    "description": "Add two numbers.",
    "inputSchema": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
}


@pytest.fixture
def configure_server(caller, sandbox):
    """Return a function that configures the reference server, registered as `sums`."""

    def make(command=COMMAND, tools=(ADD, {"name": "fail"}), resources=(), prompts=(), **fields):
        with caller.scope():
            fields.setdefault("resource_limits", {"timeout": 60})
            config = McpServerConfigFactory(config={}, env={}, **fields)
            with as_platform():
                McpServer.objects.filter(pk=config.mcp_server_id).update(
                    slug="sums",
                    command=command,
                    tool_definitions=list(tools),
                    resource_definitions=list(resources),
                    prompt_definitions=list(prompts),
                )
        return config

    return make


def rows(caller):
    with caller.scope():
        return list(
            McpToolExecution.objects.order_by("pk").values_list("tool_name", "status", "result", "error_code")
        )


def test_an_agent_calls_a_tool_of_a_server(caller, configure_server, agent_of):
    configure_server()
    with FakeOpenAI(call_tool("sums__add", a=40, b=2), say("It is 42.")) as server:
        answer = ask(caller, agent_of(server, tools=["mcp:sums"], tool_timeout=60, timeout=90))
    assert (answer.content, get_tool_results(server)) == ("It is 42.", ['{"result":42}'])
    assert rows(caller) == [("add", "completed", {"result": 42}, "")]
    with caller.scope():
        assert ToolExecution.objects.get().tool_name == "sums__add"


def test_tool_failure_is_recorded_and_returned_to_model(caller, configure_server, agent_of):
    configure_server()
    with FakeOpenAI(call_tool("sums__fail"), say("It failed.")) as server:
        answer = ask(caller, agent_of(server, tools=["mcp:sums/fail"], tool_timeout=60, timeout=90))
    assert (answer.status, get_tool_results(server)) == (
        "completed",
        ['{"error":"Error executing tool fail"}'],
    )
    assert [row[1:] for row in rows(caller)] == [("failed", None, "tool_error")]


RESOURCE = {"uri": "notes://today", "name": "today"}
PROMPT = {"name": "greet", "arguments": [{"name": "name", "required": True}]}


@pytest.mark.parametrize(
    ("tool", "arguments", "output"),
    [
        ("read_resource", {"uri": "notes://today"}, "High water at noon."),
        ("get_prompt", {"name": "greet", "arguments": {"name": "Ada"}}, "Greet Ada."),
    ],
)
def test_an_agent_reads_resources_and_prompts_of_a_server(
    caller, configure_server, agent_of, tool, arguments, output
):
    configure_server(tools=(), resources=(RESOURCE,), prompts=(PROMPT,))
    with FakeOpenAI(call_tool(f"sums__{tool}", **arguments), say("Read.")) as server:
        answer = ask(caller, agent_of(server, tools=["mcp:sums"], tool_timeout=60, timeout=90))
    assert (answer.content, get_tool_results(server)) == ("Read.", [output])
    assert rows(caller) == [(tool, "completed", output, "")]


def test_unlisted_resource_is_not_requested(caller, configure_server, agent_of):
    configure_server(tools=(), resources=(RESOURCE,), command="/bin/false")
    with FakeOpenAI(call_tool("sums__read_resource", uri="file:///etc/passwd"), say("No.")) as server:
        ask(caller, agent_of(server, tools=["mcp:sums"]))
    assert get_tool_results(server) == ['{"error":"The server lists no such uri."}']
    assert rows(caller) == []


def offered(server):
    return [tool["function"]["name"] for tool in server.requests[0].body.get("tools", ())]


@pytest.mark.parametrize(
    ("fields", "tools", "seen"),
    [
        ({}, ["mcp:sums"], ["sums__add", "sums__fail"]),
        ({}, ["mcp:sums/add"], ["sums__add"]),
        ({}, ["mcp:other"], []),
        ({}, [], []),
        ({"enabled": False}, ["mcp:sums"], []),
        ({"for_all_users": False}, ["mcp:sums"], []),
    ],
)
def test_tools_require_agent_and_user_permission(caller, configure_server, agent_of, fields, tools, seen):
    configure_server(**fields)
    with FakeOpenAI(say("Hello.")) as server:
        ask(caller, agent_of(server, tools=tools))
    assert offered(server) == seen


def test_servers_of_other_tenants_are_not_available(caller, configure_server, agent_of, other_tenant):
    from config.tenancy.scope import tenant_scope

    with tenant_scope(other_tenant, actor="system:test"):
        config = McpServerConfigFactory(config={}, env={})
        with as_platform():
            McpServer.objects.filter(pk=config.mcp_server_id).update(slug="theirs", tool_definitions=[ADD])
    with FakeOpenAI(say("Hello.")) as server:
        ask(caller, agent_of(server, tools=["mcp:theirs"]))
    assert offered(server) == []


def test_a_full_minute_is_a_row_and_no_call(caller, configure_server, agent_of):
    configure_server(command="/bin/false", resource_limits={"max_calls_per_minute": 1, "timeout": 20})
    script = (call_tool("sums__add", a=1, b=1), call_tool("sums__add", a=1, b=2), say("Enough."))
    with FakeOpenAI(*script) as server:
        ask(caller, agent_of(server, tools=["mcp:sums"]))
    assert [row[3] for row in rows(caller)] == ["refused", "rate_limited"]


def test_mcp_tool_can_require_approval(caller, configure_server, agent_of):
    configure_server()
    with FakeOpenAI(call_tool("sums__add", a=1, b=1)) as server:
        answer = ask(caller, agent_of(server, tools=["mcp:sums"], approvals=["mcp:sums/add"]))
    assert (answer.status, rows(caller)) == ("awaiting_approval", [])
