"""Agents and MCP clients that start workflows."""

import json
from uuid import UUID

import pytest

from agents.testing import FakeOpenAI, call_tool, say
from agents.tests.factories import AgentFactory, IntegrationFactory
from config.api.credentials import Credential
from config.db.ids import uuid7
from config.tenancy.scope import tenant_scope
from config.testing.fixtures import add_member
from conversations.mcp.server import McpRequestError, current_credential
from conversations.runtime.turns import Caller
from conversations.tests.test_tools import get_tool_results
from conversations.tests.test_turns import ask, caller
from conversations.tool_registry import load_mcp_tools
from workflows import mcp
from workflows.models import WorkflowExecution
from workflows.runtime import run_requests
from workflows.services.nesting import MAX_DEPTH, STARTED_BY
from workflows.tests.factories import WorkflowExecutionFactory, WorkflowFactory, WorkflowVersionFactory

__all__ = ["caller"]
INPUT = {"type": "object", "required": ["topic"], "properties": {"topic": {"type": "string"}}}
DEFINITION = {
    "input": INPUT,
    "steps": [{"id": "ask", "kind": "approval", "prompt": "Publish this?", "roles": ["admin"]}],
}
TOOLS = ["list_workflows", "start_workflow", "read_workflow_run"]
START = call_tool("start_workflow", workflow="report", values={"topic": "tides"})


@pytest.fixture
def report(caller):
    """The published workflow `report`."""
    with caller.scope():
        workflow = WorkflowFactory(slug="report", definition=DEFINITION)
        WorkflowVersionFactory(workflow=workflow, version=1)
        WorkflowFactory(slug="unpublished")
        paused = WorkflowFactory(slug="paused", status="paused")
        WorkflowVersionFactory(workflow=paused, version=1)
    return workflow


@pytest.fixture
def use_tool(caller):
    """Return a function that lets an agent call a tool and returns the result for the model."""

    def run(reply, asking=None):
        with FakeOpenAI(reply, say("Done.")) as server:
            with caller.scope():
                account = IntegrationFactory(base_url=server.base_url, name=str(uuid7()))
                fields = {"model_provider": "openai-compatible", "model_name": "m", "tools": TOOLS}
                agent = AgentFactory(integration=account, tool_timeout=3, **fields)
            ask(asking or caller, agent)
            return json.loads(get_tool_results(server)[0])

    return run


def list_runs(caller):
    with tenant_scope(caller.tenant_id, actor="system:test"):
        return list(WorkflowExecution.objects.order_by("pk"))


def test_agents_list_workflows_that_can_start(use_tool, report):
    (row,) = use_tool(call_tool("list_workflows"))
    assert (row["slug"], row["input"]) == ("report", INPUT)


def test_agent_starts_a_run_for_its_user(use_tool, report, caller):
    found = use_tool(START)
    (run,) = list_runs(caller)
    assert (found["run"], found["workflow"], found["output"]) == (str(run.pk), "report", None)
    assert (run.user_id, run.input_data) == (caller.user_id, {"topic": "tides"})
    assert set(run.trigger_data) == {"conversation_id", "message_id"}
    again = use_tool(call_tool("read_workflow_run", run=str(run.pk)))
    assert (again["run"], again["status"]) == (str(run.pk), found["status"])


def test_agent_waits_for_a_run_up_to_its_limit(use_tool, report, caller, monkeypatch):
    monkeypatch.setattr(run_requests, "POLL_SECONDS", 0.01)
    reads, read = [], run_requests.read_run

    def complete(asking, run_id):
        reads.append(run_id)
        if len(reads) == 2:
            with asking.scope():
                row = WorkflowExecution.objects.filter(pk=run_id)
                row.update(status="completed", output_data={"url": "x"})
        return read(asking, run_id)

    monkeypatch.setattr(run_requests, "read_run", complete)
    arguments = {"workflow": "report", "values": {"topic": "tides"}, "wait_seconds": 1000}
    found = use_tool(call_tool("start_workflow", **arguments))
    assert (found["status"], found["output"], len(reads)) == ("completed", {"url": "x"}, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"workflow": "report", "values": {"topic": 5}}, "is not of type 'string'"),
        ({"workflow": "report"}, "topic: This field is required."),
        ({"workflow": "paused", "values": {"topic": "x"}}, "does not exist, or cannot be started"),
        ({"workflow": "unpublished", "values": {}}, "does not exist, or cannot be started"),
    ],
)
def test_invalid_requests_start_nothing(use_tool, report, caller, arguments, message):
    assert message in use_tool(call_tool("start_workflow", **arguments))["error"]
    assert list_runs(caller) == []


def test_runs_that_start_each_other_are_limited(report, caller):
    with caller.scope():
        last = None
        for _ in range(MAX_DEPTH + 1):
            data = {STARTED_BY: str(last)} if last else None
            last = WorkflowExecutionFactory(workflow=report, trigger_data=data).pk
        first = WorkflowExecutionFactory(workflow=report).pk
    values = {"topic": "tides"}
    with pytest.raises(run_requests.RunRequestError, match="at most 10 levels"):
        run_requests.start_workflow(caller, "report", values, origin={}, parent_run=last)
    started = run_requests.start_workflow(caller, "report", values, origin={}, parent_run=first)
    run = next(each for each in list_runs(caller) if each.pk == started)
    assert run.trigger_data == {STARTED_BY: str(first)}


def make_key_caller(api_key, caller, *scopes):
    key = api_key(scopes=list(scopes))
    return Caller(caller.tenant_id, key.user_id, f"key:{key.pk}")


@pytest.fixture
def callers(caller, tenant, api_key):
    """Callers without the permission to start workflows."""
    viewer = add_member(tenant, "viewer").user_id
    return {
        "viewer": Caller(tenant.pk, viewer, f"user:{viewer}"),
        "narrow key": make_key_caller(api_key, caller, "agents:execute", "conversations:write"),
        "nobody": Caller(tenant.pk, None, "workflow:1"),
    }


@pytest.mark.security("start of a workflow without permission")
def test_only_permitted_callers_start_workflows(report, callers, caller, attacks):
    for name, each in callers.items():
        with pytest.raises(run_requests.RunRequestError):
            run_requests.require_permission(each, "execute")
        attacks.attempt(name, succeeded=bool(list_runs(caller)))


def test_agents_of_viewers_start_nothing(use_tool, report, callers, caller):
    assert "workflows:execute" in use_tool(START, asking=callers["viewer"])["error"]
    assert list_runs(caller) == []


def test_keys_with_the_scope_start_workflows(report, caller, api_key):
    run_requests.require_permission(make_key_caller(api_key, caller, "workflows:execute"), "execute")
    run_requests.require_permission(make_key_caller(api_key, caller, "*"), "execute")


@pytest.mark.security("start of a workflow without permission", mutation=True)
def test_viewers_start_workflows_without_the_check(use_tool, report, callers, caller, monkeypatch, attacks):
    monkeypatch.setattr("workflows.runtime.agent_tools.require_permission", lambda *_: None)
    use_tool(START, asking=callers["viewer"])
    attacks.attempt(succeeded=bool(list_runs(caller)))


@pytest.fixture
def as_client(caller, tenant):
    """Return a function that calls a tool as an MCP client with scopes."""

    def call(tool, *arguments, scopes=("workflows:*",), **named):
        common = {"tenant_id": tenant.pk, "tenant_slug": tenant.slug, "user_id": caller.user_id}
        fields = {"role": "admin", "scopes": frozenset({"*:*"}), "key_scopes": frozenset(scopes)}
        token = current_credential.set(Credential(kind="key", id=uuid7(), **common, **fields))
        try:
            return tool(*arguments, **named)
        finally:
            current_credential.reset(token)

    return call


def test_mcp_clients_start_and_read_runs(as_client, report, caller, monkeypatch):
    monkeypatch.setattr(run_requests, "POLL_SECONDS", 0.01)
    assert [row["slug"] for row in as_client(mcp.list_workflows)] == ["report"]
    found = as_client(mcp.start_workflow, "report", {"topic": "tides"}, wait_seconds=0)
    (run,) = list_runs(caller)
    assert run.pk == UUID(found["run"])
    assert as_client(mcp.read_workflow_run, found["run"]) == found
    assert {each.__name__ for each in load_mcp_tools()} == set(TOOLS)


def test_mcp_clients_are_refused(as_client, report, caller):
    for arguments in (("report", {}), ("none", {})):
        with pytest.raises(McpRequestError):
            as_client(mcp.start_workflow, *arguments)
    with pytest.raises(McpRequestError, match="workflows:execute"):
        as_client(mcp.start_workflow, "report", {"topic": "x"}, scopes=["workflows:read"])
    with pytest.raises(McpRequestError, match="Run not found"):
        as_client(mcp.read_workflow_run, "x")
    assert list_runs(caller) == []


def test_runs_of_other_tenants_are_not_found(as_client, report, other_tenant):
    with tenant_scope(other_tenant, actor="system:test"):
        foreign = WorkflowExecutionFactory(user=None)
    with pytest.raises(McpRequestError, match="Run not found"):
        as_client(mcp.read_workflow_run, str(foreign.pk))
