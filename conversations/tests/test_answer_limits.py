"""Disconnecting clients and oversized answers."""

import httpx
import pytest

from agents.models import BudgetCounter, LlmUsage
from agents.testing import FakeOpenAI, ScriptedReply, say
from agents.tests.factories import AgentFactory, BudgetFactory, IntegrationFactory
from config.tenancy.scope import tenant_scope
from conversations.models import Conversation, Message, StreamEvent
from conversations.runtime import exceptions
from conversations.runtime.loop import run_turn
from conversations.runtime.turns import Caller, load_turn
from conversations.services.conversations import begin_turn, start_conversation
from conversations.tests.factories import ConversationFactory
from knowledge.tests.waiting import wait_until

TEXT = " ".join(f"word{number}" for number in range(40))
MODELS = pytest.mark.parametrize("model", ["guide", "house/m"])


def body(model):
    return {"model": model, "stream": True, "messages": [{"role": "user", "content": "Tell me."}]}


def budget(tenant):
    with tenant_scope(tenant, actor="system:test"):
        BudgetFactory(
            subject="tenant", subject_id=None, resource="tokens", period="month", limit_value=100_000
        )


def wait_for_the_end(wired):
    return wait_until(
        lambda: (answer := wired.rows(Message)[-1]).status != "pending" and answer,
        progress=lambda: len(wired.rows(StreamEvent)),
        pause=0.1,
    )


@MODELS
def test_answer_finishes_after_client_disconnects(wired, model):
    budget(wired.tenant)
    wired.script(ScriptedReply(text=TEXT, pace=0.05))
    headers = {"Authorization": f"Bearer {wired.key.secret}"}
    with httpx.stream(
        "POST", f"{wired.url}/v1/chat/completions", json=body(model), headers=headers
    ) as answer:
        assert answer.status_code == 200
        next(answer.iter_lines())
    stored = wait_for_the_end(wired)
    assert (stored.status, stored.content) == ("completed", TEXT)
    (counter,), (usage,) = wired.rows(BudgetCounter), wired.rows(LlmUsage)
    assert (counter.reserved, counter.used) == (0, usage.total_tokens)
    assert stored.token_count == usage.total_tokens > 0


@MODELS
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_oversized_completion_fails_and_is_accounted(wired, monkeypatch, model, stream):
    monkeypatch.setattr(exceptions, "MAX_ANSWER_LENGTH", 100)
    budget(wired.tenant)
    wired.script(say(TEXT))
    headers = {"Authorization": f"Bearer {wired.key.secret}"}
    asked = body(model) | {"stream": stream}
    said = httpx.post(f"{wired.url}/v1/chat/completions", json=asked, headers=headers, timeout=60)
    stored = wait_for_the_end(wired)
    assert (stored.status, stored.error_code) == ("failed", "bad_response")
    assert "exceeds 100 characters" in said.text
    (counter,) = wired.rows(BudgetCounter)
    assert counter.reserved == 0 < counter.used


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_oversized_agent_answer_fails(tenant, member, monkeypatch, streamed):
    monkeypatch.setattr(exceptions, "MAX_ANSWER_LENGTH", 100)
    caller = Caller(tenant.pk, member.user_id, f"user:{member.user_id}")
    with FakeOpenAI(say(TEXT)) as server:
        with caller.scope():
            account = IntegrationFactory(base_url=server.base_url)
            agent = AgentFactory(integration=account, model_provider="openai-compatible", model_name="m")
            row = start_conversation(agent, user_id=caller.user_id)
            turn = load_turn(begin_turn(row.pk, content="Tell me.", user_id=caller.user_id), caller)
        answer = run_turn(turn, (lambda piece: None) if streamed else None)
    assert (answer.status, answer.error_code) == ("failed", "bad_response")
    assert len(answer.content) <= 100


def test_no_user_sees_no_conversations(tenant, scope):
    ConversationFactory()
    with tenant_scope(tenant, actor="system:test"):
        ConversationFactory(user=None)
        assert Conversation.objects.count() == 2
    assert not Conversation.objects.visible_to(None).exists()
