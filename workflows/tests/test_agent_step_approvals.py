"""Steps whose agents wait for decisions on tool calls."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from agents.models import LlmUsage
from agents.testing import fail, say
from agents.tests.factories import ModelPriceFactory
from conversations.models import AnswerLease, Conversation, Message, ToolExecution
from conversations.runtime.recovery import resume_answer
from conversations.services.approvals import decide_call
from conversations.tests.test_turns import caller
from workflows.runtime.step_bodies import Wait
from workflows.runtime.step_conversations import LOOK_AGAIN, get_link
from workflows.services.waiting_steps import StepLink, wake_after_answer
from workflows.tests.test_agent_steps import CALCULATION, attempt, fails, make_agent, model, run

__all__ = ["attempt", "caller", "make_agent", "model"]


@pytest.fixture
def wakes(monkeypatch):
    """Collect the steps that are woken."""
    found = []
    for place in ("workflows.services.waiting_steps", "workflows.runtime.bodies.agents"):
        monkeypatch.setattr(f"{place}.defer_wake", lambda *ids: found.append(ids))
    return found


def park(model, make_agent, attempt, *script):
    server = model(CALCULATION, *script)
    make_agent(server, tools=["calculator"], approvals=["calculator"])
    context = attempt()
    wait = run(context)
    assert isinstance(wait, Wait)
    return context, wait


def decide(context, *, allow=True):
    """Decide on the waiting call and resume the answer."""
    with context.scope():
        call = ToolExecution.objects.get(status="awaiting_approval")
        decide_call(call, allow=allow, actor=context.user_id)
    return resume_answer(context.tenant_id, call.message_id)


def test_step_waits_for_approval_and_continues(model, make_agent, attempt, wakes):
    context, wait = park(model, make_agent, attempt, say("42."))
    with context.scope():
        wait.begin()
    assert wakes == []
    answer = decide(context)
    assert (wait.correlation, wakes) == (
        f"answer:{answer.pk}",
        [(context.tenant_id, context.step_execution_id)],
    )
    assert run(context).output["text"] == "42."


def test_answer_that_ends_before_the_wait_is_stored_wakes_it(model, make_agent, attempt, wakes):
    context, wait = park(model, make_agent, attempt, say("42."))
    decide(context)
    wakes.clear()
    with context.scope():
        wait.begin()
    assert wakes == [(context.tenant_id, context.step_execution_id)]


def test_budget_includes_what_was_used_before_the_wait(model, make_agent, attempt, caller):
    server = model(CALCULATION, say("42."))
    make_agent(server, tools=["calculator"], approvals=["calculator"])
    with caller.scope():
        ModelPriceFactory(provider="openai-compatible", model="m", input_price=2, output_price=4)
    context, spent = attempt(budget={"tokens": 10_000, "cost": 1}), []
    run(context)
    with context.scope():
        call = ToolExecution.objects.get(status="awaiting_approval")
        decide_call(call, allow=True, actor=context.user_id)
    prepare = lambda turn: spent.append(dict(turn.meter.spent))  # noqa: E731
    resume_answer(context.tenant_id, call.message_id, prepare=prepare)
    with caller.scope():
        first = LlmUsage.objects.order_by("id").first()
    tokens, cost = first.prompt_tokens + first.completion_tokens, first.prompt_cost + first.completion_cost
    assert tokens > 0
    assert spent == [{"tokens": tokens, "cost": cost}]


def test_denied_calls_end_the_wait_too(model, make_agent, attempt, wakes):
    context, _ = park(model, make_agent, attempt, fail(401))
    decide(context, allow=False)
    assert len(wakes) == 1
    assert fails(context) == ("authentication", False)


def test_answers_that_cannot_resume_wake_the_step(model, make_agent, attempt, wakes):
    context, _ = park(model, make_agent, attempt, say("42."))
    with context.scope():
        call = ToolExecution.objects.get(status="awaiting_approval")
        decide_call(call, allow=True, actor=context.user_id)
        AnswerLease.objects.update(attempts=3)
    assert resume_answer(context.tenant_id, call.message_id) is None
    assert len(wakes) == 1
    assert fails(context) == ("interrupted", True)


def test_deleted_conversation_fails_the_waiting_step(model, make_agent, attempt):
    context, wait = park(model, make_agent, attempt, say("42."))
    assert timedelta(minutes=59) < wait.until - timezone.now() <= LOOK_AGAIN
    with context.scope():
        Conversation.objects.get().delete()
    assert fails(replace(context, waited=True)) == ("conversation_deleted", False)


def test_ordinary_answers_wake_nothing(model, make_agent, attempt, wakes):
    make_agent(model(say("At noon.")))
    run(attempt())
    assert wakes == []


def forge_link(context, victim):
    """End an answer that names the step of another run."""
    with context.scope():
        answer = Message.objects.get(role="assistant")
        answer.metadata |= get_link(victim).render()
        answer.save()
        wake_after_answer(Message, answer=answer, was_parked=True)


@pytest.mark.security("forged link to a workflow step")
def test_metadata_cannot_name_another_step(model, make_agent, attempt, wakes, attacks):
    make_agent(model(say("At noon.")))
    victim, context = attempt(), attempt()
    run(context)
    forge_link(context, victim)
    attacks.attempt(succeeded=bool(wakes))


@pytest.mark.security("forged link to a workflow step", mutation=True)
def test_metadata_name_another_step_without_the_check(
    model, make_agent, attempt, wakes, monkeypatch, attacks
):
    make_agent(model(say("At noon.")))
    victim, context = attempt(), attempt()
    run(context)
    monkeypatch.setattr(StepLink, "conversation_id", get_link(context).conversation_id)
    forge_link(context, victim)
    attacks.attempt(succeeded=wakes == [(victim.tenant_id, victim.step_execution_id)])
