"""Tasks of agents: one for each turn, tool call and contribution to a meeting, and the daily figures from them."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from agents.models import AgentRun
from agents.testing import FakeOpenAI, call_tool, fail, say
from agents.tests.factories import AgentFactory, AgentRunFactory, IntegrationFactory
from config.db.ids import uuid7
from config.tenancy.scope import tenant_scope
from config.testing.roles import as_role
from conversations.meetings.runner import begin_meeting, run_meeting
from conversations.models import ToolExecution
from conversations.runtime.turns import Caller
from conversations.services.conversations import start_conversation
from workflows.models import AgentPerformanceDaily, AgentTask
from workflows.services.performance import compute_performance
from workflows.tests.factories import AgentTaskFactory

URL = "/api/v1/conversations/"


@pytest.fixture
def caller(tenant, member):
    return Caller(tenant.pk, member.user_id, f"user:{member.user_id}")


@pytest.fixture
def server(caller):
    """The endpoint of the agent `guide`, whose tool is the calculator."""
    with FakeOpenAI(call_tool("calculator", expression="6 * 7"), say("It is 42.")) as server:
        with caller.scope():
            AgentFactory(
                slug="guide",
                name="Guide",
                model_provider="openai-compatible",
                model_name="m",
                tools=["calculator"],
                integration=IntegrationFactory(base_url=server.base_url),
            )
        yield server


def ask(client):
    body = {"agent": "guide", "message": "What is 6 * 7?"}
    response = client.post(URL, body, content_type="application/json")
    assert response.status_code in (201, 409), response.content
    return response.json()


def test_turn_and_tool_call_are_tasks(caller, api_client, server):
    client = api_client()
    made = ask(client)
    rows = client.get("/api/v1/agent-tasks/?ordering=created_at").json()["results"]
    turn, call = sorted(rows, key=lambda row: row["parent_task_id"])
    with tenant_scope(caller.tenant_id, actor="system:test"):
        execution = ToolExecution.objects.get()
    assert turn["task_id"] == turn["id"] == made["answer"]["id"]
    assert (turn["agent_name"], turn["agent_type"]) == ("Guide", "openai-compatible")
    assert (turn["task_type"], turn["status"], turn["agent_version"]) == ("turn", "completed", "1")
    assert turn["input_data"] == {"conversation_id": made["id"], "message_id": made["answer"]["id"]}
    assert (turn["api_calls_made"], turn["retry_count"]) == (2, 0)
    assert turn["tokens_used"] == made["answer"]["token_count"]
    assert turn["duration_seconds"] > 0
    assert turn["memory_used_mb"] > 1
    assert (call["task_type"], call["task_description"], call["status"]) == (
        "tool_call",
        "calculator",
        "completed",
    )
    assert call["parent_task_id"] == turn["task_id"]
    assert call["task_id"] == call["id"]
    assert call["input_data"]["tool_execution_id"] == str(execution.pk)
    assert call["duration_seconds"] == execution.execution_time_ms / 1000


def test_answered_chats_fill_the_daily_performance(caller, api_client, server):
    client = api_client()
    ask(client)
    server.script = [fail(400)]
    ask(client)
    today = timezone.now().date()
    with as_role(None):
        compute_performance(today - timedelta(days=1), today)
    with caller.scope():
        row = AgentPerformanceDaily.objects.get()
        turns = [task.duration_seconds for task in AgentTask.objects.filter(task_type="turn")]
    assert (row.agent_name, row.total_tasks, row.successful_tasks, row.failed_tasks) == ("Guide", 3, 2, 1)
    assert row.p99_duration_seconds == max(turns)
    assert row.p50_duration_seconds <= row.p95_duration_seconds <= row.p99_duration_seconds
    assert row.error_rate == pytest.approx(1 / 3)
    assert (row.retry_rate, row.total_api_calls) == (0, 4)


def test_contributions_have_their_meeting_as_parent(caller):
    with caller.scope():
        manager, expert = AgentFactory(name="Manager"), AgentFactory(name="Expert")
        conversation = start_conversation(manager, user_id=caller.user_id)
        question = begin_meeting(
            conversation.pk, question="When is high water?", experts=[expert], user_id=caller.user_id
        )
    assert run_meeting(caller.tenant_id, question.pk)
    with caller.scope():
        rows = list(AgentTask.objects.values_list("task_type", "parent_task_id"))
        assert len(rows) == AgentRun.objects.count() > 1
    assert set(rows) == {("meeting_contribution", str(question.pk))}


def test_run_of_an_old_answer_gets_a_task_of_this_week(caller):
    old = uuid7(timezone.now() - timedelta(days=20))
    with caller.scope():
        AgentRunFactory(id=old, message_id=old, agent_id=AgentFactory().pk)
        task = AgentTask.objects.get()
    assert task.task_id == str(task.pk)
    assert task.created_at > timezone.now() - timedelta(days=1)


def test_run_of_a_deleted_agent_has_a_task(caller):
    identifier = uuid7()
    with caller.scope():
        AgentRunFactory(id=identifier, message_id=identifier, agent_id=identifier)
        task = AgentTask.objects.get()
    assert (task.agent_name, task.agent_id) == (str(identifier), None)


def test_task_id_is_unique_because_it_is_the_id(caller):
    with caller.scope():
        tasks = AgentTaskFactory.create_batch(2)
        assert {row.task_id for row in AgentTask.objects.all()} == {str(task.pk) for task in tasks}
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE workflows_agenttask SET task_id = 'copy'")
