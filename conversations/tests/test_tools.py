"""Tool calls in turns: records, failures and approvals."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from agents.runtime.builtin_tools import ToolError
from agents.testing import FakeOpenAI, call_tool, say
from agents.tests.factories import AgentFactory, IntegrationFactory
from audit.models import AuditLog
from conversations.models import AnswerLease, Message, ToolExecution, TurnStep
from conversations.runtime import tools
from conversations.runtime.approval_expiry import expire_waiting_calls
from conversations.runtime.recovery import resume_answer
from conversations.services.approvals import decide_call
from conversations.tests.test_turns import ask, caller
from tenants.models import OutboxEvent

__all__ = ["caller"]
CALCULATION = call_tool("calculator", expression="6 * 7")


@pytest.fixture
def agent_of(caller):
    """Return a function that creates an agent with the given model server."""

    def make(server, **fields):
        with caller.scope():
            integration = IntegrationFactory(base_url=server.base_url)
            return AgentFactory(
                model_provider="openai-compatible", model_name="m", integration=integration, **fields
            )

    return make


def get_tool_results(server, request=-1):
    """Return the tool results sent to the model."""
    messages = server.requests[request].body["messages"]
    return [message["content"] for message in messages if message["role"] == "tool"]


def executions(caller):
    with caller.scope():
        rows = ToolExecution.objects.order_by("pk")
        return [(row.tool_name, row.status, row.tool_input, row.tool_output) for row in rows]


def test_call_is_recorded_and_result_returned_to_model(caller, agent_of):
    with FakeOpenAI(CALCULATION, say("It is 42.")) as server:
        answer = ask(caller, agent_of(server, tools=["calculator"]))
    assert (answer.status, answer.content) == ("completed", "It is 42.")
    assert get_tool_results(server) == ["42"]
    assert executions(caller) == [("calculator", "completed", {"expression": "6 * 7"}, 42)]
    assert [call["name"] for call in answer.tool_calls] == ["calculator"]
    with caller.scope():
        data = OutboxEvent.objects.get(type="answer.completed").data
    assert (data["message_id"], data["status"]) == (str(answer.pk), "completed")


def test_tools_that_the_agent_lacks_are_not_offered(caller, agent_of):
    with FakeOpenAI(CALCULATION) as server:
        answer = ask(caller, agent_of(server, tools=["current_time"]))
    offered = [tool["function"]["name"] for tool in server.requests[0].body["tools"]]
    assert (answer.content, offered) == ("no tools", ["current_time"])
    assert executions(caller) == []


def test_refusal_is_returned_and_turn_continues(caller, agent_of):
    with FakeOpenAI(call_tool("calculator", expression="9**9**9"), say("Too large.")) as server:
        answer = ask(caller, agent_of(server, tools=["calculator"]))
    assert answer.status == "completed"
    assert get_tool_results(server) == ['{"error":"The number is too large."}']
    assert executions(caller)[0][1] == "failed"


def broken():
    raise RuntimeError("password=hunter2")


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (broken, "failed", "The tool failed."),
        (lambda: asyncio.sleep(60), "timeout", "The tool did not respond within 1 seconds."),
        (lambda: asyncio.sleep(0, {1, 2}), "failed", "The tool's data cannot be serialized to JSON."),
        (
            lambda: asyncio.sleep(0, "x" * 200_000),
            "failed",
            "The tool's data exceeds 100000 characters.",
        ),
    ],
)
def test_tool_failure_and_timeout_are_recorded(caller, agent_of, monkeypatch, body, status, error):
    async def run(expression):
        return await body()

    monkeypatch.setattr(tools, "calculate", lambda expression: (_ for _ in ()).throw(ToolError("unused")))
    outcome = asyncio.run(tools.run_with_timeout(lambda: run("x"), 1))
    assert (outcome.status, outcome.model_value) == (status, {"error": error})


def test_turn_timeout_closes_running_call(caller, agent_of, monkeypatch):
    async def endless(url):
        await asyncio.sleep(60)

    monkeypatch.setattr(tools, "read_page", endless)
    with FakeOpenAI(call_tool("http_fetch", url="https://example.com/")) as server:
        answer = ask(caller, agent_of(server, tools=["http_fetch"], timeout=2))
    assert (answer.status, answer.error_code) == ("failed", "timeout")
    with caller.scope():
        row = ToolExecution.objects.get()
    assert (row.status, row.error_message) == ("failed", "The turn ended before the tool finished.")


def test_private_address_is_refused(caller, agent_of):
    with FakeOpenAI(say("Secret.")) as inside:
        url = inside.base_url.replace("/v1", "/")
        with FakeOpenAI(call_tool("http_fetch", url=url), say("I cannot read it.")) as server:
            ask(caller, agent_of(server, tools=["http_fetch"]))
    assert inside.requests == []
    assert executions(caller)[0][:2] == ("http_fetch", "failed")


@pytest.fixture
def waiting(api_client, caller, agent_of, tenant, member):
    """Return a function that creates an answer waiting for approval of the calculator."""

    def make(server, **fields):
        client = api_client(user=member.user)
        fields = {"tools": ["calculator"], "approvals": ["calculator"], "slug": "guide"} | fields
        agent_of(server, **fields)
        body = {"agent": "guide", "message": "How much is it?"}
        made = client.post("/api/v1/conversations/", body, content_type="application/json").json()
        where = f"/api/v1/conversations/{made['id']}/tool-executions/"
        return client, made["answer"], where, client.get(where).json()["results"]

    return make


def decide(client, where, row, verb="approve", **body):
    return client.post(f"{where}{row['id']}/{verb}/", body, content_type="application/json")


def test_approved_call_runs_once(waiting, caller):
    with FakeOpenAI(CALCULATION, say("It is 42.")) as server:
        client, answer, where, rows = waiting(server)
        assert (answer["status"], rows[0]["status"], rows[0]["tool_output"]) == (
            "awaiting_approval",
            "awaiting_approval",
            None,
        )
        response, again = decide(client, where, rows[0]), decide(client, where, rows[0])
    assert (response.status_code, response.json()["content"]) == (200, "It is 42.")
    assert (again.status_code, again.json()["code"]) == (409, "not_waiting")
    assert get_tool_results(server) == ["42"]
    assert executions(caller) == [("calculator", "completed", {"expression": "6 * 7"}, 42)]
    with caller.scope():
        asked = OutboxEvent.objects.get(type="approval.requested").data
    assert (asked["tools"], asked["user_id"]) == (["calculator"], str(caller.user_id))


def test_denied_call_does_not_run_and_reason_reaches_model(waiting, caller, member):
    with FakeOpenAI(CALCULATION, say("Then not.")) as server:
        client, _, where, rows = waiting(server)
        response = decide(client, where, rows[0], "deny", reason="Ask finance.")
    assert response.json()["content"] == "Then not."
    assert "Ask finance." in get_tool_results(server)[0]
    with caller.scope():
        row = ToolExecution.objects.get()
        assert (row.status, row.tool_output, row.decided_by_id) == ("denied", None, member.user_id)
        assert AuditLog.objects.filter(action="tool.denied").count() == 1


def test_approval_requires_access(waiting, api_client, other_tenant, caller):
    with FakeOpenAI(CALCULATION, say("It is 42.")) as server:
        _, _, where, rows = waiting(server)
        for outsider in (api_client(), api_client(tenant=other_tenant)):
            assert decide(outsider, where, rows[0]).status_code == 404
    assert executions(caller)[0][1] == "awaiting_approval"


def test_parked_messages_are_not_exposed(waiting, caller):
    with FakeOpenAI(CALCULATION) as server:
        _, answer, _, rows = waiting(server, system_prompt="The secret instructions.")
    with caller.scope():
        assert "The secret instructions." in str(TurnStep.objects.get(kind="parked").payload)
        logged = AuditLog.objects.values_list("new_values", flat=True)
        assert "The secret instructions." not in str([row for row in logged if row and "tool_name" in row])
    assert "secret instructions" not in str([answer, rows])


def test_worker_resumes_after_approver_dies(waiting, caller, member):
    with FakeOpenAI(CALCULATION, say("It is 42.")) as server:
        _, answer, _, _ = waiting(server)
        with caller.scope():
            assert decide_call(ToolExecution.objects.get(), allow=True, actor=member.user_id) is True
            (tenant_id,) = AnswerLease.objects.values_list("tenant_id", flat=True)
        done = resume_answer(tenant_id, UUID(answer["id"]))
    assert (done.status, done.content, len(server.requests)) == ("completed", "It is 42.", 2)
    assert executions(caller) == [("calculator", "completed", {"expression": "6 * 7"}, 42)]
    assert [call["name"] for call in done.tool_calls] == ["calculator"]


def test_two_calls_need_two_decisions(waiting, caller):
    both = call_tool("calculator", expression="1 + 1")
    with FakeOpenAI(both, say("Done.")) as server:
        client, answer, where, rows = waiting(server)
        with caller.scope():
            first = ToolExecution.objects.get()
            second = ToolExecution.objects.create(
                conversation_id=first.conversation_id,
                message_id=first.message_id,
                tool_name="calculator",
                status="awaiting_approval",
            )
        assert decide(client, where, rows[0]).json()["status"] == "awaiting_approval"
        assert decide(client, where, {"id": second.pk}, "deny").json()["content"] == "Done."
    with caller.scope():
        assert Message.objects.get(pk=answer["id"]).status == "completed"


def test_expired_call_is_denied_and_answer_completes(waiting, caller, tenant):
    with FakeOpenAI(CALCULATION, say("Then not.")) as server:
        _, answer, _, _ = waiting(server)
        assert expire_waiting_calls(timedelta(days=7)) == 0
        assert expire_waiting_calls(timedelta(0)) == 1
        assert expire_waiting_calls(timedelta(0)) == 0
        done = resume_answer(tenant.pk, UUID(answer["id"]))
    assert (done.status, done.content) == ("completed", "Then not.")
    assert "The call was not approved within 0 days." in get_tool_results(server)[0]
    with caller.scope():
        row = ToolExecution.objects.get()
        assert (row.status, row.decided_by_id, row.tool_output) == ("denied", None, None)
