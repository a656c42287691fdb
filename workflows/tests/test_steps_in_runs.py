"""Steps of each kind with effects outside, in runs of the engine."""

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from agents.models import LlmUsage
from agents.testing import call_tool, say
from config.tenancy.scope import tenant_scope
from conversations.models import AnswerLease, Conversation, Message, ToolExecution
from conversations.runtime.recovery import resume_answer
from conversations.services.approvals import decide_call
from conversations.tests.test_turns import caller
from conversations.tests.workers import expire_lease
from tenants.models import Tenant
from workflows import tasks
from workflows.models import StepExecution, WorkflowLane
from workflows.services.runs import cancel_run
from workflows.testing import run_lanes, skip_waits
from workflows.tests.runs import attempts, reread, states
from workflows.tests.step_contexts import ScriptedService, ServedReply
from workflows.tests.test_agent_steps import make_agent, model, stop_at
from workflows.tests.test_expert_group_steps import experts, hold_meeting, server
from workflows.tests.test_tool_steps import configure, mcp_url, sea

__all__ = ["caller", "configure", "experts", "make_agent", "mcp_url", "model", "sea", "server"]
pytestmark = pytest.mark.engine
AGENT = {"id": "ask", "kind": "agent", "agent": "guide", "prompt": "When is ${ input.event }?"}
CALCULATION = call_tool("calculator", expression="6 * 7")


def run_jobs(tenant, task):
    """Run the deferred jobs of a task and return their number."""
    with tenant_scope(tenant, actor="system:test"):
        arguments = list(ProcrastinateJob.objects.filter(task_name=task.name).values_list("args", flat=True))
    for each in arguments:
        task.func.__wrapped__(**each)
    return len(arguments)


def run_wakes(tenant):
    """Run the jobs that wake steps, then the lanes."""
    count = run_jobs(tenant, tasks.wake_step)
    run_lanes(tenant)
    return count


def test_http_step_repeats_with_one_key(start, tenant, settings):
    replies = ServedReply(503, headers={"Retry-After": "7"}), ServedReply(201, b'{"id": 7}')
    with ScriptedService(*replies) as service:
        settings.FETCH_NETWORKS, settings.FETCH_PORTS = ["127.0.0.0/8"], [service.port]
        with tenant_scope(tenant, actor="system:test"):
            Tenant.objects.update(settings={"workflows": {"http_hosts": ["127.0.0.1"]}})
        step = {"id": "post", "kind": "http", "method": "POST", "url": f"{service.url}/a/${{ input.name }}"}
        run = start(
            {**step, "body": {"a": "${ input.name }"}, "retry": {"maximum_attempts": 2}},
            input_data={"name": "x"},
            output={"id": "${ steps.post.output.body.id }"},
        )
        skip_waits(tenant)
    run = reread(run)
    assert (run.status, run.output_data) == ("completed", {"id": 7})
    first, second = service.requests
    assert (first.path, first.body) == ("/a/x", b'{"a": "x"}')
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert [each.error_code for each in attempts(run, "post")] == ["http_503", ""]


def test_retrieval_and_tools_feed_each_other(start, sea, configure, mcp_url):
    configure(mcp_url)
    run = start(
        {"id": "find", "kind": "retrieval", "collection": "sea", "query": "${ input.question }"},
        {"id": "sum", "kind": "tool", "tool": "calculator", "input": {"expression": "6 * 7"}},
        {
            "id": "add",
            "kind": "mcp",
            "server": "sums",
            "tool": "add",
            "input": {"a": "${ steps.sum.output }", "b": 1},
        },
        input_data={"question": "high water"},
        output={"n": "${ steps.add.output.result }", "source": "${ steps.find.output.passages[0].source }"},
    )
    assert (run.status, run.output_data) == ("completed", {"n": 43, "source": "tides.md"})


def test_failed_tool_fails_the_run(start):
    run = start({"id": "sum", "kind": "tool", "tool": "calculator", "input": {"expression": "1 / 0"}})
    assert (run.status, run.error_message) == ("failed", "Step sum: Division by zero.")


def test_agent_step_names_its_agent_and_conversation(start, model, make_agent, caller):
    agent = make_agent(model(say("At noon.")))
    run = start(AGENT, input_data={"event": "high water"}, output={"text": "${ steps.ask.output.text }"})
    assert (run.status, run.output_data) == ("completed", {"text": "At noon."})
    (step,) = attempts(run, "ask")
    with caller.scope():
        conversation = Conversation.objects.get()
        assert LlmUsage.objects.get().flow_id == run.pk
    assert (step.agent_id, step.metadata["conversation_id"]) == (agent.pk, str(conversation.pk))


def test_agent_step_waits_for_a_decision(start, tenant, model, make_agent, caller):
    make_agent(model(CALCULATION, say("42.")), tools=["calculator"], approvals=["calculator"])
    run = start(AGENT, input_data={"event": "x"}, output={"text": "${ steps.ask.output.text }"})
    assert (reread(run).status, states(run)) == ("waiting", {"ask": "waiting"})
    with caller.scope():
        call = ToolExecution.objects.get(status="awaiting_approval")
        decide_call(call, allow=True, actor=caller.user_id)
    resume_answer(tenant.pk, call.message_id)
    assert run_wakes(tenant) == 1
    assert (reread(run).status, reread(run).output_data) == ("completed", {"text": "42."})


def test_cancelled_run_denies_the_calls_that_its_step_waits_for(start, tenant, model, make_agent, caller):
    fake = model(CALCULATION, say("42."))
    make_agent(fake, tools=["calculator"], approvals=["calculator"])
    run = start(AGENT, input_data={"event": "x"})
    with caller.scope():
        assert cancel_run(run.pk)
    assert run_jobs(tenant, tasks.cancel_answer) == 1
    with caller.scope():
        answer, call = Message.objects.get(role="assistant"), ToolExecution.objects.get()
        assert not AnswerLease.objects.exists()
    assert (answer.status, answer.error_code, call.status) == ("failed", "cancelled", "denied")
    assert (run_wakes(tenant), states(run), len(fake.requests)) == (1, {"ask": "cancelled"}, 1)


def test_lane_that_died_leaves_its_turn_to_the_next(start, tenant, model, make_agent, monkeypatch, caller):
    fake = model(CALCULATION, say("42."), say("42."))
    make_agent(fake, tools=["calculator"])

    class Killed(BaseException):
        """The end of the process."""

    with monkeypatch.context() as patch:
        stop_at(patch, "store_answer", Killed)
        with pytest.raises(Killed):
            start(AGENT, input_data={"event": "x"})
    with tenant_scope(tenant, actor="system:test"):
        expire_lease(AnswerLease.objects.get())
        # The job of the lane is started again.
        WorkflowLane.objects.filter(status="running").update(status="queued")
        run = StepExecution.objects.get().execution
    run_lanes(tenant)
    assert reread(run).status == "completed"
    (step,) = attempts(run, "ask")
    assert (step.claim, step.output_data["text"], len(fake.requests)) == (2, "42.", 3)
    with caller.scope():
        assert ToolExecution.objects.filter(status="completed").count() == 1


def test_expert_group_wakes_its_step(start, tenant, experts, caller):
    group = {"id": "meet", "kind": "expert_group", "agents": ["lead", "ice"], "topic": "${ input.topic }"}
    run = start(group, input_data={"topic": "Ice?"}, output={"text": "${ steps.meet.output.summary }"})
    assert states(run) == {"meet": "waiting"}
    hold_meeting(caller)
    assert run_wakes(tenant) == 1
    assert (reread(run).status, reread(run).output_data) == ("completed", {"text": "Done."})
