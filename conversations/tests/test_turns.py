import pytest

from agents.models import AgentCollection, LlmUsage
from agents.testing import FakeOpenAI, call_tool, fail, half_stream, invalid_reply, say, slow, unreachable_url
from agents.tests.factories import AgentFactory, IntegrationFactory
from audit.models import AuditLog
from conversations.models import Conversation, Message, ToolExecution
from conversations.runtime.citations import renumber_citations
from conversations.runtime.loop import run_turn
from conversations.runtime.turns import Caller, load_turn
from conversations.services.conversations import ConversationClosedError, begin_turn, start_conversation
from knowledge.models import RagQuery
from knowledge.services.collections import get_or_create_collection
from knowledge.services.folder_ingestion import Ingestion
from knowledge.services.search import FoundPassage

QUESTION = "When is high water?"


@pytest.fixture
def caller(tenant, member):
    return Caller(tenant.pk, member.user_id, f"user:{member.user_id}")


@pytest.fixture
def make_agent(caller, tmp_path):
    """Return a function that creates an agent with a collection about tides."""

    def make(**fields):
        (tmp_path / "tides.md").write_text(
            "# Tides\n\nHigh water comes at noon in Emden. Low water is later."
        )
        with caller.scope():
            collection, _ = get_or_create_collection("sea")
        ingestion = Ingestion(caller.tenant_id, collection, "system:test")
        list(ingestion.run(ingestion.files(tmp_path)))
        with caller.scope():
            agent = AgentFactory(**fields)
            AgentCollection.objects.create(agent=agent, collection=collection)
        return agent

    return make


def ask(caller, agent, question=QUESTION, emit=None, conversation=None):
    with caller.scope():
        conversation = conversation or start_conversation(agent, user_id=caller.user_id)
        turn = load_turn(begin_turn(conversation.pk, content=question, user_id=caller.user_id), caller)
    return run_turn(turn, emit)


def create_agent_at(caller, make_agent, server, **fields):
    with caller.scope():
        integration = IntegrationFactory(base_url=server if isinstance(server, str) else server.base_url)
    return make_agent(model_provider="openai-compatible", model_name="m", integration=integration, **fields)


def test_the_offline_agent_quotes_and_cites(caller, make_agent):
    answer = ask(caller, make_agent())
    assert answer.status == "completed"
    assert answer.content.startswith("High water comes at noon in Emden.")
    assert [cited["source"] for cited in answer.citations] == ["tides.md"]
    assert answer.citations[0]["quote"] == "High water comes at noon in Emden."
    # The text of the document begins with its heading and an empty line.
    assert (answer.citations[0]["document_start"], answer.citations[0]["document_end"]) == (9, 43)


def test_offline_agent_declines_without_matches(caller, make_agent):
    answer = ask(caller, make_agent(), "Who won the world cup in 1966?")
    assert (answer.status, answer.citations) == ("completed", [])
    assert "found nothing" in answer.content


def test_everything_is_kept_in_order(caller, make_agent):
    answer = ask(caller, make_agent())
    with caller.scope():
        messages = list(Message.objects.order_by("sequence_number"))
        assert [(message.role, message.status) for message in messages] == [
            ("user", "completed"),
            ("assistant", "completed"),
        ]
        execution, query = ToolExecution.objects.get(), RagQuery.objects.get()
        assert (execution.message_id, execution.status) == (answer.pk, "completed")
        assert query.conversation_id == answer.conversation_id
        assert messages[0].pk < messages[1].pk < execution.pk < query.pk < LlmUsage.objects.first().pk
        assert sum(LlmUsage.objects.values_list("total_tokens", flat=True)) == answer.token_count > 0
        total = Conversation.objects.get()
        assert (total.message_count, total.total_tokens, total.title) == (2, answer.token_count, QUESTION)
        actions = set(AuditLog.objects.values_list("action", flat=True))
        assert {"message.created", "message.updated", "toolexecution.created"} <= actions


def test_audit_log_contains_no_message_text(caller, make_agent):
    ask(caller, make_agent(), "A private question about high water?")
    with caller.scope():
        rows = AuditLog.objects.filter(resource_type="conversations.message")
        assert all("content" not in (row.new_values or {}) for row in rows)
        assert rows.count() == 3


def test_an_endpoint_answers_with_tool_call_and_citation(caller, make_agent):
    script = (call_tool("search_knowledge", query="high water"), say("At noon [1]. Nothing else [9]."))
    with FakeOpenAI(*script) as server:
        answer = ask(caller, create_agent_at(caller, make_agent, server))
    assert answer.content == "At noon [1]. Nothing else."
    assert [cited["source"] for cited in answer.citations] == ["tides.md"]
    assert answer.token_count > 0
    assert "sk-test" in server.requests[0].headers.get(
        "authorization", server.requests[0].headers.get("Authorization")
    )


def test_text_is_streamed_in_fragments(caller, make_agent):
    pieces = []
    answer = ask(caller, make_agent(), emit=pieces.append)
    assert len(pieces) > 1
    assert "".join(pieces) == answer.content


@pytest.mark.parametrize(
    ("reply", "code", "streamed"),
    [
        (fail(500), "server_error", False),
        (fail(429, retry_after=0), "rate_limited", False),
        (fail(401), "authentication", False),
        (invalid_reply(), "bad_response", False),
        (half_stream(), None, True),
        (half_stream(ragged=True), None, True),
    ],
)
def test_endpoint_failure_fails_the_answer(caller, make_agent, reply, code, streamed):
    with FakeOpenAI(reply) as server:
        agent = create_agent_at(caller, make_agent, server, timeout=8)
        answer = ask(caller, agent, emit=(lambda piece: None) if streamed else None)
    assert answer.status == "failed"
    assert answer.error_code == (code or answer.error_code) != ""
    assert answer.error_message
    assert "sk-test" not in answer.error_message
    with caller.scope():
        assert Message.objects.get(role="user").content == QUESTION
        assert LlmUsage.objects.latest("id").error_message == answer.error_message
        agent.integration.refresh_from_db(fields=["status"])
        assert agent.integration.status == "error"


def test_unreachable_endpoint_is_reported(caller, make_agent):
    answer = ask(caller, create_agent_at(caller, make_agent, unreachable_url(), timeout=8))
    assert (answer.status, answer.error_code) == ("failed", "unreachable")


def test_slow_endpoint_times_out(caller, make_agent):
    with FakeOpenAI(slow(30)) as server:
        answer = ask(caller, create_agent_at(caller, make_agent, server, timeout=1))
    assert (answer.status, answer.error_code) == ("failed", "timeout")
    assert answer.latency_ms < 10_000


def test_iteration_limit_stops_tool_loop(caller, make_agent):
    with FakeOpenAI(call_tool("search_knowledge", query="x")) as server:
        answer = ask(caller, create_agent_at(caller, make_agent, server, max_iterations=3))
    assert answer.status == "failed"
    assert len(server.requests) == 3


def test_history_is_sent_to_model(caller, make_agent):
    with FakeOpenAI(say("First."), say("Second.")) as server:
        agent = create_agent_at(caller, make_agent, server)
        first = ask(caller, agent)
        with caller.scope():
            conversation = Conversation.objects.get(pk=first.conversation_id)
        ask(caller, agent, "And then?", conversation=conversation)
    spoken = [
        message["content"] for message in server.requests[1].body["messages"] if message["role"] != "system"
    ]
    assert spoken == [QUESTION, "First.", "And then?"]


def test_closed_conversation_and_inactive_agent_are_rejected(caller, make_agent):
    agent = make_agent()
    with caller.scope():
        conversation = start_conversation(agent, user_id=caller.user_id)
        conversation.status = "completed"
        conversation.save()
        with pytest.raises(ConversationClosedError, match="completed"):
            begin_turn(conversation.pk, content="x", user_id=None)
        agent.status = "inactive"
        agent.save()
        with pytest.raises(ConversationClosedError, match="not active"):
            start_conversation(agent, user_id=None)


def passage(number):
    return FoundPassage(None, None, "T", "t.md", "t.md", f"Text {number}.", "T", None, 0, 0.5)


@pytest.mark.parametrize(
    ("text", "content", "cited"),
    [
        ("One [2]. Two [1]. Again [2].", "One [1]. Two [2]. Again [1].", ["Text 2.", "Text 1."]),
        ("No such [7].", "No such.", []),
        ("Code row[1] stays.", "Code row[1] stays.", []),
        ("Both [1][2]", "Both [1][2]", ["Text 1.", "Text 2."]),
    ],
)
def test_citations_are_renumbered_in_the_order_of_the_answer(text, content, cited):
    shown, citations = renumber_citations(text, [passage(1), passage(2)])
    assert shown == content
    assert [citation["quote"] for citation in citations] == cited


def test_internal_error_is_not_attributed_to_endpoint(caller, make_agent, monkeypatch, caplog):
    def broken(*_, **__):
        raise NameError("a defect")

    monkeypatch.setattr("agents.runtime.routing.build_model", broken)
    answer = ask(caller, make_agent())
    assert (answer.status, answer.error_code) == ("failed", "internal")
    assert "a defect" not in answer.error_message
    assert caplog.records[-1].exc_info
