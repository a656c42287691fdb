"""Session closing: titles and summaries, by a model or extractive, created once."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from agents.models import Budget, LlmUsage
from agents.testing import FakeOpenAI, fail, invalid_reply, say
from agents.tests.factories import AgentFactory, IntegrationFactory
from config.tenancy.scope import tenant_scope
from conversations import tasks
from conversations.models import Conversation, Message, SessionSummary
from conversations.runtime.summaries import summarize
from conversations.services.extractive_summary import SummaryMessage, summarize_messages
from conversations.services.sessions import store_summary
from conversations.tests.factories import (
    ConversationFactory,
    MessageFactory,
    SessionSummaryFactory,
    ToolExecutionFactory,
)

URL = "/api/v1/conversations/"
SAID = (
    ("user", "When is high water in Emden?"),
    ("assistant", "High water comes at noon in Emden. The ferry waits for high water."),
    ("user", "Then we decided to sail at noon. Remind me to call the ferry."),
    ("assistant", "High water at noon suits the ferry."),
)
MADE = {
    "title": "Sailing at high water",
    "summary": "They will sail at noon.",
    "domain": "tides",
    "topics": ["tides", "ferry"],
    "decisions": ["Sail at noon."],
    "preferences": {"time": "noon"},
    "keywords": ["Emden"],
    "complexity": "low",
    "resolution": "partial",
    "follow_up": ["Call the ferry."],
}


@pytest.fixture
def client(api_client):
    return api_client()


@pytest.fixture
def session(tenant, client):
    """Return a function that creates a session, optionally with a model server."""

    def make(server=None, said=SAID, **fields):
        user = client.key.user
        with tenant_scope(tenant, user=user):
            agent = AgentFactory()
            if server:
                account = IntegrationFactory(base_url=server.base_url)
                agent = AgentFactory(
                    model_provider="openai-compatible", model_name="m", integration=account, timeout=5
                )
            times = {"last_message_at": timezone.now() - timedelta(hours=1)}
            times["started_at"] = times["last_message_at"] - timedelta(hours=1)
            fields = {"title": said[0][1], "message_count": len(said), **times, **fields}
            row = ConversationFactory(user=user, agent=agent, **fields)
            for number, (role, content) in enumerate(said, 1):
                MessageFactory(conversation=row, sequence_number=number, role=role, content=content)
        return row

    return make


def end(client, row):
    return client.post(f"{URL}{row.pk}/end/", content_type="application/json")


def get_summary(tenant, row):
    with tenant_scope(tenant, actor="system:test"):
        return Conversation.objects.get(pk=row.pk), SessionSummary.objects.filter(conversation=row).first()


def waiting_jobs(tenant):
    with tenant_scope(tenant, actor="system:test"):
        rows = ProcrastinateJob.objects.filter(task_name=tasks.summarize_session.name, status="todo")
        return [row.args["conversation_id"] for row in rows]


def test_ending_completes_and_defers_summary(client, session, tenant):
    row = session()
    response = end(client, row)
    assert (response.status_code, response.json()["status"]) == (200, "completed"), response.content
    assert waiting_jobs(tenant) == [str(row.pk)]
    assert (end(client, row).status_code, end(client, row).json()["code"]) == (409, "not_ending")


def test_ending_requires_access_and_no_pending_answer(client, api_client, session, tenant):
    row = session()
    assert end(api_client(), row).status_code == 404
    with tenant_scope(tenant, actor="system:test"):
        MessageFactory(conversation=row, role="assistant", status="pending", sequence_number=5)
    assert end(client, row).status_code == 409


def test_model_summary_is_stored_and_accounted(client, session, tenant):
    with FakeOpenAI(say(f"Here it is: {json.dumps(MADE)}")) as server:
        row = session(server)
        end(client, row)
        assert summarize(tenant.pk, row.pk) is True
        sent = server.requests[0].body["messages"][-1]["content"]
    conversation, summary = get_summary(tenant, row)
    assert conversation.title == "Sailing at high water"
    assert (summary.summary, summary.model, summary.key_topics) == (MADE["summary"], "m", MADE["topics"])
    assert (summary.decisions_made, summary.follow_up_tasks) == (MADE["decisions"], MADE["follow_up"])
    assert (summary.conversation_domain, summary.resolution_status) == ("tides", "partial")
    assert (summary.user_preferences, summary.message_count) == ({"time": "noon"}, 4)
    assert [json.loads(line)["from"] for line in sent.splitlines()][:2] == ["person", "assistant"]
    with tenant_scope(tenant, actor="system:test"):
        used = LlmUsage.objects.get()
    assert used.conversation_id == row.pk
    assert (used.total_tokens, used.error_message) == (conversation.total_tokens, "")
    assert used.total_tokens > 0


@pytest.mark.parametrize("reply", [fail(500), invalid_reply(), say("I cannot."), say('{"summary": 7}')])
def test_unreadable_model_summary_falls_back_to_extractive(client, session, tenant, reply):
    with FakeOpenAI(reply) as server:
        row = session(server)
        end(client, row)
        assert summarize(tenant.pk, row.pk) is True
    conversation, summary = get_summary(tenant, row)
    assert (summary.model, conversation.title) == ("", SAID[0][1])
    assert summary.summary.startswith("When is high water in Emden? High water comes at noon in Emden.")
    with tenant_scope(tenant, actor="system:test"):
        assert all(row.error_message for row in LlmUsage.objects.all())


def test_exhausted_budget_makes_no_model_request(client, session, tenant):
    with FakeOpenAI(say(json.dumps(MADE))) as server:
        row = session(server)
        with tenant_scope(tenant, actor="system:test"):
            Budget.objects.create(subject="tenant", resource="tokens", period="month", limit_value=1)
        end(client, row)
        assert summarize(tenant.pk, row.pk) is True
        assert server.requests == []
    assert get_summary(tenant, row)[1].model == ""


def test_summary_is_recreated_only_after_new_messages(client, session, tenant):
    with FakeOpenAI(say(json.dumps(MADE))) as server:
        row = session(server)
        assert [summarize(tenant.pk, row.pk), summarize(tenant.pk, row.pk)] == [True, False]
        assert len(server.requests) == 1
        with tenant_scope(tenant, actor="system:test"):
            MessageFactory(conversation=row, sequence_number=5, content="One more thing.")
            Conversation.objects.filter(pk=row.pk).update(message_count=5)
        assert summarize(tenant.pk, row.pk) is True
    assert get_summary(tenant, row)[1].message_count == 5


def test_concurrent_message_discards_summary(session, tenant):
    from conversations.services.sessions import read_session

    row = session()
    with tenant_scope(tenant, actor="system:test"):
        read = read_session(row.pk)
        Conversation.objects.filter(pk=row.pk).update(message_count=6)
        assert store_summary(read, summarize_messages(read.messages, message_count=4, tools=0)) is False
    assert get_summary(tenant, row)[1] is None


def test_user_rating_and_title_are_kept(client, session, tenant):
    with FakeOpenAI(say(json.dumps(MADE))) as server:
        row = session(server, title="My trip")
        with tenant_scope(tenant, user=client.key.user):
            SessionSummaryFactory(conversation=row, message_count=1, session_rating=4)
        summarize(tenant.pk, row.pk)
    conversation, summary = get_summary(tenant, row)
    assert (conversation.title, summary.session_rating, summary.summary) == ("My trip", 4, MADE["summary"])


def test_short_idle_session_makes_no_model_request(session, tenant):
    with FakeOpenAI(say(json.dumps(MADE))) as server:
        row = session(server, said=SAID[:2])
        assert summarize(tenant.pk, row.pk) is True
        assert server.requests == []


def test_only_idle_sessions_are_summarized(session, tenant):
    resting, busy = session(), session(last_message_at=timezone.now())
    done = session()
    with tenant_scope(tenant, actor="system:test"):
        SessionSummaryFactory(conversation=done, message_count=4)
    tasks.summarize_idle_sessions.func.__wrapped__(0)
    tasks.summarize_idle_sessions.func.__wrapped__(0)
    assert waiting_jobs(tenant) == [str(resting.pk)]
    assert busy.pk
    tasks.summarize_session.func.__wrapped__(str(tenant.pk), str(resting.pk))
    assert get_summary(tenant, resting)[1].message_count == 4


def test_extractive_summary_lists_topics_decisions_and_follow_ups(session, tenant):
    row = session()
    with tenant_scope(tenant, actor="system:test"):
        message = Message.objects.filter(conversation=row).first()
        for _ in range(5):
            ToolExecutionFactory(message=message, tool_name="tide_table")
    summarize(tenant.pk, row.pk)
    _, summary = get_summary(tenant, row)
    assert {"water", "noon", "ferry"} <= set(summary.key_topics)
    assert summary.decisions_made == ["Then we decided to sail at noon."]
    assert (summary.follow_up_suggested, summary.follow_up_tasks) == (True, ["Remind me to call the ferry."])
    assert (summary.tools_used, summary.complexity_level) == (["tide_table"], "high")


@pytest.mark.parametrize(
    ("role", "status", "resolution"),
    [
        ("assistant", "completed", "completed"),
        ("assistant", "failed", "unresolved"),
        ("assistant", "awaiting_approval", "partial"),
        ("user", "completed", "abandoned"),
    ],
)
def test_resolution_follows_last_message(role, status, resolution):
    said = [
        SummaryMessage("user", "When is high water?", "completed"),
        SummaryMessage(role, "At noon.", status),
    ]
    assert summarize_messages(said, message_count=2, tools=0).resolution == resolution
