"""Recovery of answers: leases, steps, and workers killed at ten points."""

import time
from datetime import timedelta

import pytest
from django.test import override_settings
from django.utils import timezone

from agents.models import AgentCollection, AgentRun
from agents.testing import FakeOpenAI, ScriptedReply, call_tool, say
from agents.tests.factories import AgentFactory, IntegrationFactory
from config.db.ids import uuid7
from config.tenancy.scope import tenant_scope
from conversations import tasks
from conversations.models import AnswerLease, Message, ToolExecution, TurnStep
from conversations.runtime import tools, toolset
from conversations.runtime.loop import run_turn
from conversations.runtime.recovery import defer_resume, resume_answer
from conversations.runtime.turns import Caller, load_turn
from conversations.services.conversations import begin_turn, start_conversation
from conversations.services.leases import INTERRUPTED, LeaseLostError, advance, take_over
from conversations.streaming.answers import follow_answer
from conversations.tests.factories import MessageFactory
from conversations.tests.workers import expire_lease, in_background, read_answer, resume_due, workers
from knowledge.services.collections import get_or_create_collection
from knowledge.services.folder_ingestion import Ingestion

LONG = " ".join(f"word{number}" for number in range(60)) + " at noon [1]."
# Where the worker is killed, and whether the model request must be repeated.
POINTS = [
    ("after conversations.runtime.recovery:take_over 1", False),
    ("before conversations.runtime.loop:record_messages 1", True),
    ("after conversations.runtime.loop:record_messages 1", False),
    ("before conversations.runtime.toolset:search_passages 1", False),
    ("after conversations.runtime.toolset:search_passages 1", False),
    ("after conversations.runtime.loop:record_messages 2", False),
    ("after conversations.runtime.toolset:search_passages 2", False),
    ("after conversations.runtime.stream_buffer:StreamBuffer.append 3", True),
    ("before conversations.runtime.loop:store_answer 1", True),
    ("after conversations.runtime.loop:store_answer 1", False),
]


@pytest.fixture
def caller(tenant, member):
    return Caller(tenant.pk, member.user_id, f"user:{member.user_id}")


class SearchingEndpoint(FakeOpenAI):
    """Searches twice, then answers; a repeated request gets the same reply."""

    def take(self, request):
        super().take(request)
        done = sum(message["role"] == "tool" for message in request.body["messages"])
        return call_tool("search_knowledge", query=f"high water {done}") if done < 2 else say(LONG)


@pytest.fixture
def make_agent(caller, tmp_path):
    """Return a function that creates an agent with a collection about tides."""

    def make(server, **fields):
        (tmp_path / "tides.md").write_text("# Tides\n\nHigh water comes at noon in Emden.")
        with caller.scope():
            collection, _ = get_or_create_collection("sea")
        ingestion = Ingestion(caller.tenant_id, collection, "system:test")
        list(ingestion.run(ingestion.files(tmp_path)))
        with caller.scope():
            fields = {"model_provider": "openai-compatible", "model_name": "m"} | fields
            agent = AgentFactory(integration=IntegrationFactory(base_url=server.base_url), **fields)
            AgentCollection.objects.create(agent=agent, collection=collection)
        return agent

    return make


def begin(caller, agent, *, held=True):
    with caller.scope():
        conversation = start_conversation(agent, user_id=caller.user_id)
        begun = begin_turn(conversation.pk, content="When is high water?", user_id=caller.user_id)
        if not held:
            expire_lease(begun.lease)
        return load_turn(begun, caller)


def test_expired_lease_is_taken_over(caller, make_agent):
    with FakeOpenAI() as server:
        turn = begin(caller, make_agent(server))
    with caller.scope():
        assert take_over(turn.answer_id) is None
        expire_lease(turn.lease)
        row = take_over(turn.answer_id)
        assert (row.takeovers, row.token != turn.lease.token) == (1, True)
        assert take_over(turn.answer_id) is None


def test_process_without_lease_cannot_write(caller, make_agent):
    with FakeOpenAI(say("Mine.")) as server:
        agent = make_agent(server)
        zombie = begin(caller, agent, held=False)
        answer = resume_answer(caller.tenant_id, zombie.answer_id)
        assert run_turn(zombie).content == "Mine."
    assert answer.content == "Mine."
    with caller.scope():
        with pytest.raises(LeaseLostError):
            advance(zombie.lease)
        assert not AnswerLease.objects.exists()
        assert Message.objects.filter(role="assistant").count() == 1


def test_answer_fails_after_max_attempts(caller, make_agent):
    with FakeOpenAI() as server:
        turn = begin(caller, make_agent(server), held=False)
    with caller.scope():
        AnswerLease.objects.update(attempts=3)
    assert resume_answer(caller.tenant_id, turn.answer_id) is None
    with caller.scope():
        answer = Message.objects.get(pk=turn.answer_id)
        assert (answer.status, answer.error_code) == ("failed", "interrupted")
        assert "stopped" in answer.error_message
    assert server.requests == []


def test_unrecoverable_answers_are_failed(tenant, member):
    with tenant_scope(tenant, user=member.user):
        old = uuid7(timezone.now() - timedelta(hours=2))
        dead = MessageFactory(id=old, role="assistant", status="pending")
        alive = MessageFactory(role="assistant", status="pending")
    tasks.resume_due_work.func.__wrapped__(0)
    with tenant_scope(tenant):
        states = dict(Message.objects.values_list("id", "status"))
    assert states == {dead.pk: "failed", alive.pk: "pending"}


@pytest.mark.parametrize("idempotent", [True, False])
def test_only_idempotent_interrupted_tools_run_again(caller, make_agent, monkeypatch, idempotent):
    from pydantic_ai import Tool

    runs = []

    async def send_letter(text: str) -> str:
        runs.append(text)
        if len(runs) == 1:
            raise LeaseLostError  # the process stops here
        return "sent"

    tool = Tool(send_letter, metadata={"idempotent": idempotent})
    monkeypatch.setattr("conversations.runtime.loop.build_toolset", lambda turn: [tool])
    monkeypatch.setattr("conversations.runtime.loop._wait_for_answer", lambda turn: None)
    with FakeOpenAI(call_tool("send_letter", text="Hello"), say("Done.")) as server:
        turn = begin(caller, make_agent(server))
        run_turn(turn)
        with caller.scope():
            expire_lease(turn.lease)
        answer = resume_answer(caller.tenant_id, turn.answer_id)
    results = [
        message["content"] for message in server.requests[-1].body["messages"] if message["role"] == "tool"
    ]
    assert (answer.content, len(server.requests), len(runs)) == ("Done.", 2, 2 if idempotent else 1)
    assert results == (["sent"] if idempotent else [INTERRUPTED])
    assert toolset.build_toolset is not None


def test_interrupted_calculation_runs_again(caller, make_agent, monkeypatch):
    ends, ended = [], tools._record_end

    def end(*arguments):
        ends.append(arguments)
        if len(ends) == 1:
            raise LeaseLostError  # the process stops here
        return ended(*arguments)

    monkeypatch.setattr("conversations.runtime.tools._record_end", end)
    monkeypatch.setattr("conversations.runtime.loop._wait_for_answer", lambda turn: None)
    with FakeOpenAI(call_tool("calculator", expression="6*7"), say("42.")) as server:
        turn = begin(caller, make_agent(server, tools=["calculator"]))
        run_turn(turn)
        with caller.scope():
            expire_lease(turn.lease)
        answer = resume_answer(caller.tenant_id, turn.answer_id)
    results = [row["content"] for row in server.requests[-1].body["messages"] if row["role"] == "tool"]
    assert (answer.content, len(server.requests)) == ("42.", 2)
    assert "42" in results[0]
    with caller.scope():
        states = (
            ToolExecution.objects.filter(message_id=answer.pk).order_by("id").values_list("status", flat=True)
        )
        assert list(states) == ["failed", "completed"]


@pytest.mark.unmeasured
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@override_settings(ANSWER_LEASE_SECONDS=2)
def test_an_answer_survives_kill_9_at_each_of_ten_points(caller, make_agent):
    with SearchingEndpoint() as server, workers() as work:
        agent = make_agent(server)
        for number, (point, asked_again) in enumerate(POINTS):
            asked = len(server.requests)
            turn = begin(caller, agent, held=False)
            reader = in_background(
                lambda turn=turn: read_answer(follow_answer(caller, turn.conversation_id, turn.answer_id))
            )
            with caller.scope():
                defer_resume(caller.tenant_id, turn.answer_id)
            assert work(point) == -9, point
            resume_due(caller, expire=number > 0)
            assert work() == 0
            text, answer = reader()
            assert (answer.status, text) == ("completed", answer.content), point
            assert answer.content == LONG, point
            assert [cited["source"] for cited in answer.citations] == ["tides.md"]
            with caller.scope():
                rows = ToolExecution.objects.filter(message_id=answer.pk).order_by("id")
                inputs = [(row.tool_input["query"], row.status) for row in rows]
                kinds = (
                    TurnStep.objects.filter(message_id=answer.pk)
                    .order_by("number")
                    .values_list("kind", flat=True)
                )
                assert list(kinds) == ["messages", "result"] * 2, point
                assert not AnswerLease.objects.exists()
                assert AgentRun.objects.filter(message_id=answer.pk).count() == 1, point
            assert inputs == [("high water 0", "completed"), ("high water 1", "completed")], point
            assert len(server.requests) - asked == 3 + asked_again, point


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@override_settings(ANSWER_LEASE_SECONDS=2)
def test_lease_of_long_answer_is_renewed(caller, make_agent):
    with FakeOpenAI(ScriptedReply(text=LONG, pace=0.2)) as server:
        turn = begin(caller, make_agent(server))
        answer = in_background(lambda: run_turn(turn, lambda piece: None))
        time.sleep(3)
        assert resume_answer(caller.tenant_id, turn.answer_id) is None
        assert answer().status == "completed"
    assert len(server.requests) == 1
