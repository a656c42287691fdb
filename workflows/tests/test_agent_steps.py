"""Steps that run an agent's turn, and their resumption."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from agents.models import AgentRun, LlmUsage
from agents.testing import FakeOpenAI, call_tool, fail, say
from agents.tests.factories import AgentFactory, AgentVersionFactory, IntegrationFactory
from config.tenancy.scope import tenant_scope
from conversations.models import AnswerLease, Conversation, Message, ToolExecution
from conversations.services.leases import LeaseLostError
from conversations.tests.test_turns import caller
from conversations.tests.workers import expire_lease
from workflows.choices import StepKind
from workflows.models import AgentTask
from workflows.runtime.bodies import agents
from workflows.runtime.step_bodies import StepCancelledError, StepError, get_body
from workflows.runtime.step_conversations import get_link
from workflows.tests.factories import StepExecutionFactory, WorkflowExecutionFactory
from workflows.tests.step_contexts import build_context, cancel_after

__all__ = ["caller"]
SCHEMA = {"type": "object", "properties": {"hour": {"type": "integer"}}, "required": ["hour"]}
CALCULATION = call_tool("calculator", expression="6 * 7")


@pytest.fixture
def model():
    """Return a function that starts a scripted model with an agent `guide`."""
    running = []

    def start(*script):
        running.append(FakeOpenAI(*script).__enter__())
        return running[-1]

    yield start
    for each in running:
        each.__exit__(None, None, None)


@pytest.fixture
def make_agent(caller):
    """Return a function that creates the agent `guide`."""

    def make(server, **fields):
        with caller.scope():
            account = IntegrationFactory(base_url=server.base_url)
            fields = {"slug": "guide", "model_provider": "openai-compatible", "model_name": "m", **fields}
            return AgentFactory(integration=account, **fields)

    return make


@pytest.fixture
def attempt(member):
    """Return a function that builds the context of a running attempt."""

    def make(status="running", **config):
        fields = {name: config.pop(name) for name in ("check_cancelled", "attempt") if name in config}
        with tenant_scope(member.tenant_id, user=member.user_id):
            run = WorkflowExecutionFactory(input_data={"topic": "tides"})
            row = StepExecutionFactory(execution=run, step_id="post", status=status)
        ids = {"execution_id": run.pk, "step_execution_id": row.pk}
        config = {"agent": "guide", "prompt": "When is high water?", **config}
        return build_context(member, StepKind.AGENT, config, **ids, **fields)

    return make


def run(context):
    return get_body(StepKind.AGENT)(context)


def fails(context):
    """Return code and retryability of the error."""
    with pytest.raises(StepError) as caught:
        run(context)
    return caught.value.code, caught.value.retryable


def stop_at(monkeypatch, name, error=LeaseLostError):
    """Let the turn end as if its process died when it calls a function of the loop."""

    def die(*args):
        raise error

    monkeypatch.setattr("conversations.runtime.loop._wait_for_answer", die)
    monkeypatch.setattr(f"conversations.runtime.loop.{name}", die)


def die_once(monkeypatch, context, name):
    """Run the step in a process that dies there, and let its lease expire."""
    with monkeypatch.context() as patch:
        stop_at(patch, name)
        with pytest.raises(LeaseLostError):
            run(context)
    with context.scope():
        AnswerLease.objects.get()
        expire_lease(AnswerLease.objects.get())


def test_agent_answers_with_usage_and_tasks_of_chat(model, make_agent, attempt, caller):
    server = model(say("At noon."))
    agent, context = make_agent(server), attempt()
    result = run(context)
    with caller.scope():
        (conversation,) = Conversation.objects.all()
        answer = Message.objects.get(role="assistant")
        usage, task = LlmUsage.objects.get(), AgentTask.objects.get()
    ids = {"conversation_id": str(conversation.pk), "message_id": str(answer.pk)}
    assert result.output == {"text": "At noon.", **ids}
    assert (result.agent_id, result.metadata["conversation_id"]) == (agent.pk, str(conversation.pk))
    assert conversation.pk == get_link(context).conversation_id
    assert (usage.flow_id, usage.message_id) == (context.execution_id, answer.pk)
    assert (task.pk, task.status) == (answer.pk, "completed")
    assert server.requests[0].body["messages"][-1]["content"] == "When is high water?"


def test_structured_output_is_an_object(model, make_agent, attempt):
    server = model(call_tool("final_result", hour=12))
    make_agent(server)
    assert run(attempt(output_schema=SCHEMA)).output["object"] == {"hour": 12}
    assert fails(attempt(output_schema={"type": "string"})) == ("invalid_input", False)


def test_input_replaces_a_missing_prompt(model, make_agent, attempt):
    server = model(say("Fine."))
    make_agent(server)
    run(attempt(prompt=None, input={"a": 1}))
    run(attempt(prompt=None, input={}))
    asked = [each.body["messages"][-1]["content"] for each in server.requests]
    assert asked == ['{"a": 1}', '{"topic": "tides"}']


def test_pinned_version_answers(model, make_agent, attempt, caller):
    server = model(say("Fine."))
    agent = make_agent(server, system_prompt="New.")
    with caller.scope():
        AgentVersionFactory(agent=agent, version=1, snapshot={"system_prompt": "Old."})
        AgentVersionFactory(agent=agent, version=2, snapshot={"system_prompt": "New."})
    run(attempt(version=1))
    run(attempt())
    instructions = [each.body["messages"][0]["content"] for each in server.requests]
    assert ["Old." in instructions[0], "New." in instructions[1]] == [True, True]
    assert fails(attempt(version=7)) == ("agent_version_not_found", False)


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"budget": {"tokens": 10}}, "budget_exceeded"),
        ({"budget": {"cost": 0.000001}}, "budget_exceeded"),
        ({"max_turns": 1}, "refused_request"),
    ],
)
def test_limits_end_the_turn(model, make_agent, attempt, limits, code):
    server = model(CALCULATION, say("42."))
    make_agent(server, tools=["calculator"], model_name="gpt-4o", model_provider="openai-compatible")
    assert fails(attempt(**limits)) == (code, False)


@pytest.mark.parametrize(
    ("reply", "expected"), [(fail(401), ("authentication", False)), (fail(500, 0.01), ("server_error", True))]
)
def test_failures_of_the_model_decide_about_repetition(model, make_agent, attempt, reply, expected):
    server = model(reply)
    make_agent(server)
    context = attempt()
    assert fails(context) == expected
    # A repeated body of the same attempt asks nothing.
    asked = len(server.requests)
    assert (fails(context), len(server.requests)) == (expected, asked)


def test_missing_agents_fail(model, make_agent, attempt):
    assert fails(attempt()) == ("agent_not_found", False)
    make_agent(model(), status="inactive")
    assert fails(attempt()) == ("agent_not_found", False)


def test_repeated_body_returns_the_same_answer(model, make_agent, attempt):
    server = model(say("At noon."), say("Later."))
    make_agent(server)
    context = attempt()
    assert run(context) == run(context)
    assert len(server.requests) == 1


def test_each_attempt_has_a_conversation(model, make_agent, attempt):
    server = model(say("First."), say("Second."))
    make_agent(server)
    context = attempt()
    again = replace(context, attempt=2)
    assert [run(each).output["text"] for each in (context, again)] == ["First.", "Second."]


@pytest.mark.parametrize("point", ["record_messages", "store_answer"])
def test_a_crash_costs_the_call_under_way(model, make_agent, attempt, monkeypatch, caller, point):
    server = model(CALCULATION, say("42."), say("42."))
    make_agent(server, tools=["calculator"])
    context = attempt()
    die_once(monkeypatch, context, point)
    before = len(server.requests)
    if point == "record_messages":
        server.script.insert(0, CALCULATION)
    assert run(context).output["text"] == "42."
    # Of two requests, the one under way is repeated.
    assert (before, len(server.requests)) == ((1, 3) if point == "record_messages" else (2, 3))
    with caller.scope():
        assert ToolExecution.objects.filter(status="completed").count() == 1
        assert Message.objects.filter(role="assistant").count() == AgentRun.objects.count() == 1


def test_options_hold_for_the_process_that_resumes(model, make_agent, attempt, monkeypatch):
    server = model(call_tool("final_result", hour=12))
    make_agent(server)
    context = attempt(output_schema=SCHEMA)
    die_once(monkeypatch, context, "record_messages")
    assert run(context).output["object"] == {"hour": 12}
    assert [each.body["tools"][0]["function"]["name"] for each in server.requests] == ["final_result"] * 2


def test_body_waits_for_the_process_that_has_the_lease(model, make_agent, attempt, monkeypatch):
    server = model(say("At noon."))
    make_agent(server)
    context = attempt()
    with monkeypatch.context() as patch:
        stop_at(patch, "store_answer")
        with pytest.raises(LeaseLostError):
            run(context)
    waits = []

    def wait(seconds):
        waits.append(seconds)
        with context.scope():
            expire_lease(AnswerLease.objects.get())

    monkeypatch.setattr(agents, "time", SimpleNamespace(sleep=wait))
    assert run(context).output["text"] == "At noon."
    assert waits == [agents.POLL_SECONDS]


def test_cancellation_ends_the_turn_before_its_next_request(model, make_agent, attempt, caller):
    server = model(CALCULATION)
    make_agent(server, tools=["calculator"])
    with pytest.raises(StepCancelledError):
        run(attempt(status="cancelled", check_cancelled=cancel_after(3)))
    assert 1 <= len(server.requests) <= 2
    with caller.scope():
        answer = Message.objects.get(role="assistant")
        assert (answer.status, answer.error_code) == ("failed", "cancelled")
        assert not AnswerLease.objects.exists()
        # What was used before is recorded.
        assert LlmUsage.objects.count() == len(server.requests)


def test_cancellation_ends_an_abandoned_answer(model, make_agent, attempt, monkeypatch, caller):
    server = model(say("At noon."))
    make_agent(server)
    context = attempt(status="cancelled")
    die_once(monkeypatch, context, "store_answer")
    with pytest.raises(StepCancelledError):
        run(replace(context, check_cancelled=cancel_after(1)))
    with caller.scope():
        assert Message.objects.get(role="assistant").error_code == "cancelled"
    assert len(server.requests) == 1


def test_a_worker_that_was_replaced_finishes_the_shared_turn(model, make_agent, attempt):
    server = model(CALCULATION, say("42."))
    make_agent(server, tools=["calculator"])
    result = run(attempt(status="running", check_cancelled=cancel_after(1)))
    assert result.output["text"] == "42."
