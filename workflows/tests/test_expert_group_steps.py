"""Steps that hold a meeting of agents."""

from dataclasses import replace

import pytest

from agents.testing import FakeOpenAI, say
from agents.tests.factories import AgentFactory, IntegrationFactory
from config.tenancy.scope import tenant_scope
from conversations.meetings.runner import run_meeting
from conversations.models import AnswerLease, Conversation, Message, SessionState
from workflows.choices import StepKind
from workflows.runtime.step_bodies import StepCancelledError, StepError, Wait, get_body
from workflows.runtime.step_conversations import get_link
from workflows.tests.step_contexts import build_context, cancel_after

MARKS = ("Which questions", "Which further questions", "You are asked", "Summarise")


class Experts(FakeOpenAI):
    """Replies for each role of a meeting, depending on the prompt."""

    def take(self, request):
        super().take(request)
        prompt = request.body["messages"][-1]["content"]
        if "Which questions" in prompt:
            return say("Ice: How thick is it?")
        if "List the" in prompt or "plan" in prompt.lower():
            return say("- Ice: Send the icebreaker.")
        return say("Done.")


@pytest.fixture
def server():
    with Experts() as running:
        yield running


@pytest.fixture
def experts(member, server):
    with tenant_scope(member.tenant_id, user=member.user_id):
        fields = {"model_provider": "openai-compatible", "model_name": "m"}
        account = IntegrationFactory(base_url=server.base_url)
        for slug in ("lead", "ice"):
            AgentFactory(slug=slug, name=slug.title(), integration=account, **fields)


@pytest.fixture
def wakes(monkeypatch):
    """Collect the steps that are woken."""
    found = []
    for place in ("workflows.services.waiting_steps", "workflows.runtime.bodies.expert_groups"):
        monkeypatch.setattr(f"{place}.defer_wake", lambda *ids: found.append(ids))
    return found


def build(member, agents=("lead", "ice"), agenda=None, **fields):
    config = {"agents": list(agents), "topic": "How do we keep the harbour open?", **(agenda or {})}
    return build_context(member, StepKind.EXPERT_GROUP, config, **fields)


def run(context):
    return get_body(StepKind.EXPERT_GROUP)(context)


def hold_meeting(asking):
    """Run the meeting of a context or caller to its end, as the job does."""
    with asking.scope():
        lease = AnswerLease.objects.get(kind="meeting")
    assert run_meeting(asking.tenant_id, lease.message_id)


def test_meeting_ends_and_wakes_the_step(member, experts, wakes):
    context = build(member)
    wait = run(context)
    conversation_id = get_link(context).conversation_id
    assert (type(wait), wait.correlation) == (Wait, f"meeting:{conversation_id}")
    with context.scope():
        wait.begin()
    assert wakes == []
    hold_meeting(context)
    assert wakes == [(context.tenant_id, context.step_execution_id)]
    output = run(context).output
    assert output["summary"] == "Done."
    assert {(each["expert"], each["status"]) for each in output["todos"]} == {("Ice", "done")}
    assert output["conversation_id"] == str(conversation_id)


def test_repeated_body_finds_the_meeting(member, experts, wakes, server):
    context = build(member)
    run(context)
    again = run(context)
    assert isinstance(again, Wait)
    hold_meeting(context)
    asked = len(server.requests)
    assert run(context).output["summary"] == "Done."
    assert len(server.requests) == asked
    with context.scope():
        assert Conversation.objects.count() == 1
        assert Message.objects.filter(role="user").count() == 1
        again.begin()
    assert len(wakes) == 2


def test_a_single_agent_leads_and_answers(member, experts):
    context = build(member, agents=["lead"])
    run(context)
    with context.scope():
        state = SessionState.objects.get().state["meeting_state"]
    assert ([each["name"] for each in state["experts"]], state["manager"]["name"]) == (["Lead"], "Lead")


def test_agenda_of_the_step_is_that_of_the_meeting(member, experts, wakes, server):
    phases = ["questioning", "expert_input"]
    context = build(member, agenda={"phases": phases, "max_rounds": 3})
    run(context)
    hold_meeting(context)
    output = run(context).output
    assert (output["summary"], output["todos"]) == ("Done.", [])
    prompts = [request.body["messages"][-1]["content"] for request in server.requests]
    assert [next(part for part in MARKS if part in prompt) for prompt in prompts] == [
        "Which questions",
        "You are asked",
        "Which further questions",
        "Summarise",
    ]


def test_failed_meetings_fail_the_step(member, experts, wakes):
    context = build(member)
    run(context)
    with context.scope():
        AnswerLease.objects.update(attempts=3)
    hold_meeting(context)
    assert len(wakes) == 1
    with pytest.raises(StepError) as caught:
        run(context)
    assert (caught.value.code, caught.value.retryable) == ("meeting_failed", True)


def test_deleted_meetings_fail_the_step(member, experts):
    context = build(member)
    run(context)
    with context.scope():
        Conversation.objects.get().delete()
    with pytest.raises(StepError) as caught:
        run(replace(context, waited=True))
    assert caught.value.code == "conversation_deleted"


@pytest.mark.parametrize(("agents", "code"), [(["lead", "none"], "agent_not_found"), ([], "agent_not_found")])
def test_missing_agents_fail(member, experts, agents, code):
    with pytest.raises(StepError) as caught:
        run(build(member, agents=agents))
    assert (caught.value.code, caught.value.retryable) == (code, False)
    with tenant_scope(member.tenant_id, user=member.user_id):
        assert not Conversation.objects.exists()


def test_cancelled_step_starts_no_meeting(member, experts):
    with pytest.raises(StepCancelledError):
        run(build(member, check_cancelled=cancel_after(0)))
    with tenant_scope(member.tenant_id, user=member.user_id):
        assert not Conversation.objects.exists()


def test_metadata_of_a_conversation_cannot_name_another_step(member, experts, wakes):
    context = build(member)
    run(context)
    with context.scope():
        Conversation.objects.update(metadata=get_link(build(member)).render())
    hold_meeting(context)
    assert wakes == []
