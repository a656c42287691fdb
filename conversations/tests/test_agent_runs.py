"""Runs of agents: one for each answer, with the texts that the organisation keeps."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from agents.models import AgentRun, LlmUsage
from agents.services.payloads import EXPIRE, MAX_PAYLOAD_BYTES, expire_payloads, prepare_payload
from agents.services.runs import MAX_TEXT_LENGTH, expire_run_texts, get_run_texts
from agents.testing import FakeOpenAI, fail, say
from agents.tests.factories import AgentFactory, AgentRunFactory, IntegrationFactory, LlmUsageFactory
from config.api.renderers import dumps
from config.db.ids import uuid7
from config.tenancy.scope import platform_scope, tenant_scope
from config.testing.roles import as_platform
from conversations import tasks
from conversations.models import Conversation, Message
from conversations.runtime.loop import run_turn
from conversations.runtime.recovery import resume_answer
from conversations.runtime.turns import Caller, load_turn
from conversations.services.conversations import begin_turn, start_conversation
from conversations.services.leases import fail_answer
from conversations.tests.workers import expire_lease
from tenants.models import OutboxEvent

QUESTION = "Write to ann@example.org: when is high water?"


@pytest.fixture
def caller(tenant, member):
    return Caller(tenant.pk, member.user_id, f"user:{member.user_id}")


@pytest.fixture
def agent(caller):
    """An agent whose provider answers with an e-mail address."""
    with FakeOpenAI(say("I wrote to ann@example.org.")) as server:
        with caller.scope():
            account = IntegrationFactory(base_url=server.base_url)
            made = AgentFactory(
                slug="guide", model_provider="openai-compatible", model_name="m", integration=account
            )
        made.server = server
        yield made


def begin(caller, agent):
    with caller.scope():
        conversation = start_conversation(agent, user_id=caller.user_id)
        return load_turn(begin_turn(conversation.pk, content=QUESTION, user_id=caller.user_id), caller)


def read_run(caller):
    with caller.scope():
        return AgentRun.objects.get()


def set_texts(tenant, **settings):
    with as_platform():
        tenant.settings = {"agent_runs": settings}
        tenant.save()


def test_answer_leaves_one_run(caller, agent):
    answer = run_turn(begin(caller, agent))
    run = read_run(caller)
    assert (run.pk, run.message_id, run.agent_id) == (answer.pk, answer.pk, agent.pk)
    assert (run.user_id, run.conversation_id) == (caller.user_id, answer.conversation_id)
    assert (run.status, run.error_message, run.agent_version) == ("completed", "", 1)
    assert (run.tokens_used, run.cost) == (answer.token_count, answer.cost)
    assert (run.model_calls, run.retry_count, run.meeting_id) == (1, 0, None)
    assert (run.prompt, run.response) == ("Write to [e-mail]: when is high water?", "I wrote to [e-mail].")
    assert 0 <= answer.latency_ms - run.execution_time_ms < 1000
    assert 1 < run.memory_used_mb < 100_000
    with caller.scope():
        assert LlmUsage.objects.get().task_id == str(run.pk)
        event = OutboxEvent.objects.get(type="run.completed").data
    assert event == {
        "run_id": str(run.pk),
        "workflow_id": None,
        "agent_id": str(agent.pk),
        "conversation_id": str(answer.conversation_id),
        "status": "completed",
    }


@pytest.mark.parametrize(
    ("texts", "prompt", "response"),
    [("full", QUESTION, "I wrote to ann@example.org."), ("none", "", "")],
)
def test_organisation_chooses_the_texts(caller, tenant, agent, texts, prompt, response):
    set_texts(tenant, texts=texts)
    run_turn(begin(caller, agent))
    run = read_run(caller)
    assert (run.prompt, run.response) == (prompt, response)


def test_failed_answer_leaves_a_failed_run(caller, agent):
    agent.server.script = [fail(400)]
    answer = run_turn(begin(caller, agent))
    run = read_run(caller)
    assert (run.status, run.error_message) == ("failed", answer.error_message)
    assert (run.tokens_used, run.model_calls, run.retry_count) == (0, 1, 0)


def test_resumed_answer_leaves_one_run(caller, agent):
    turn = begin(caller, agent)
    with caller.scope():
        expire_lease(turn.lease)
    answer = resume_answer(caller.tenant_id, turn.answer_id)
    # The first process was only slow; it has lost the lease.
    assert run_turn(turn).pk == answer.pk
    run = read_run(caller)
    assert (run.pk, run.status, run.retry_count) == (answer.pk, "completed", 1)


def test_interrupted_answer_leaves_one_cancelled_run(caller, agent):
    turn = begin(caller, agent)
    with caller.scope():
        fail_answer(turn.lease, reason="Stopped.")
    run = read_run(caller)
    assert (run.pk, run.status, run.error_message) == (turn.answer_id, "cancelled", "Stopped.")
    with caller.scope():
        assert OutboxEvent.objects.get(type="run.completed").data["status"] == "cancelled"
    assert (run.agent_id, run.user_id) == (agent.pk, caller.user_id)


def test_answer_without_a_lease_leaves_one_cancelled_run(caller, agent):
    turn = begin(caller, agent)
    started = timezone.now() - tasks.INTERRUPTED_AFTER - timedelta(hours=1)
    with caller.scope():
        row = Message.objects.get(pk=turn.answer_id)
        row.pk, row.sequence_number = uuid7(started), 3
        row.conversation_id = make_conversation(started, agent, caller)
        row.reply_to_id = None
        row.save(force_insert=True)
    for _ in range(2):
        with platform_scope(reason="test", actor="system:test"):
            tasks._fail_interrupted()
    run = read_run(caller)
    assert (run.pk, run.status) == (row.pk, "cancelled")


def make_conversation(started, agent, caller):
    row = Conversation(id=uuid7(started), agent=agent, user_id=caller.user_id, title="Old")
    row.save(force_insert=True)
    return row.pk


@pytest.mark.parametrize(("store", "prompt"), [(True, "When?"), (False, "")])
def test_completion_leaves_a_run(caller, api_client, agent, store, prompt):
    body = {"model": "guide", "messages": [{"role": "user", "content": "When?"}], "store": store}
    response = api_client().post("/v1/chat/completions", body, content_type="application/json")
    assert response.status_code == 200, response.content
    run = read_run(caller)
    assert (run.status, run.prompt, bool(run.response)) == ("completed", prompt, store)


def test_model_without_an_agent_has_no_run(caller, api_client, agent):
    with caller.scope():
        name = f"{agent.integration.name}/m"
    body = {"model": name, "messages": [{"role": "user", "content": "When?"}]}
    response = api_client().post("/v1/chat/completions", body, content_type="application/json")
    assert response.status_code == 200, response.content
    with caller.scope():
        assert (AgentRun.objects.count(), LlmUsage.objects.count()) == (0, 1)


def test_deleted_conversation_erases_the_texts(caller, agent):
    answer = run_turn(begin(caller, agent))
    with caller.scope():
        Conversation.objects.get(pk=answer.conversation_id).delete()
    run = read_run(caller)
    assert (run.prompt, run.response, run.tokens_used) == ("", "", answer.token_count)


def test_erased_answer_erases_the_texts(caller, agent):
    answer = run_turn(begin(caller, agent))
    with caller.scope():
        Message.objects.filter(pk=answer.pk).update(content="")
    assert read_run(caller).prompt == ""


def test_erased_question_erases_the_texts(caller, agent):
    answer = run_turn(begin(caller, agent))
    with caller.scope():
        Message.objects.filter(pk=answer.reply_to_id).update(content="")
    assert read_run(caller).prompt == ""


def test_a_secret_where_a_text_is_cut_is_masked(agent):
    key = "sk-proj-abcdefghijklmnop1234"
    text = "x" * (MAX_TEXT_LENGTH - 12) + " " + key
    assert key[:8] not in "".join(get_run_texts(agent, text, text))


def test_texts_expire_after_the_days_that_the_organisation_keeps_them(tenant, other_tenant):
    ids = [uuid7(timezone.now() - timedelta(days=days)) for days in (1, 3)]
    set_texts(tenant, retention_days=2)
    set_texts(other_tenant, retention_days="soon")
    for owner in (tenant, other_tenant):
        with tenant_scope(owner, actor="system:test"):
            for identifier in ids:
                AgentRunFactory(id=identifier if owner is tenant else uuid7())
    assert expire_run_texts() == 1
    with tenant_scope(tenant, actor="system:test"):
        assert [bool(AgentRun.objects.get(pk=each).prompt) for each in ids] == [True, False]


def set_payloads(tenant, **settings):
    with as_platform():
        tenant.settings = {"llm_usage": settings}
        tenant.save()


def read_usage(caller):
    with caller.scope():
        return LlmUsage.objects.get()


def test_payloads_are_not_stored_by_default(caller, agent):
    run_turn(begin(caller, agent))
    row = read_usage(caller)
    assert (row.request_payload, row.response_payload) == (None, None)
    assert (row.feature_context, row.task_id) == ("conversation", str(row.message_id))


@pytest.mark.parametrize(("kind", "shown"), [("masked", "[e-mail]"), ("full", "ann@example.org")])
def test_payloads_are_stored_as_the_organisation_says(tenant, caller, agent, api_client, kind, shown):
    set_payloads(tenant, payloads=kind)
    run_turn(begin(caller, agent))
    row = read_usage(caller)
    assert row.request_payload["model"] == "m"
    assert f"Write to {shown}" in str(row.request_payload["messages"])
    assert f"I wrote to {shown}" in str(row.response_payload["messages"])
    # Another person's.
    assert api_client().get(f"/api/v1/llm-usage/{row.pk}/payloads/").status_code == 404


def test_own_payloads_are_readable_and_erased_with_the_conversation(tenant, agent, api_client):
    set_payloads(tenant, payloads="full", retention_days=30)
    client = api_client()
    flow = str(uuid7())
    body = {"agent": "guide", "message": QUESTION, "metadata": {"flow_id": flow}}
    made = client.post("/api/v1/conversations/", body, content_type="application/json").json()
    (row,) = client.get("/api/v1/llm-usage/").json()["results"]
    assert (row["flow_id"], row["task_id"], row["feature_context"]) == (
        flow,
        made["answer"]["id"],
        "conversation",
    )
    url = f"/api/v1/llm-usage/{row['id']}/payloads/"
    assert QUESTION in str(client.get(url).json()["request_payload"])
    assert expire_payloads() == 0
    assert client.delete(f"/api/v1/conversations/{made['id']}/").status_code == 204
    assert client.get(url).json() == {"request_payload": None, "response_payload": None}


def test_payloads_expire(tenant, caller):
    set_payloads(tenant, payloads="full", retention_days=1)
    for days in (0, 2):
        with caller.scope():
            moment = timezone.now() - timedelta(days=days)
            LlmUsageFactory(id=uuid7(moment), request_payload={}, response_payload={})
    with as_platform(), connection.cursor() as cursor:
        cursor.execute(EXPIRE)
    with caller.scope():
        assert LlmUsage.objects.filter(request_payload__isnull=True).count() == 1


def test_long_payloads_keep_the_latest_messages():
    messages = [{"content": f"{number}" + "x" * 3_000} for number in range(40)]
    payload = prepare_payload(messages, "full", model="m")
    assert payload["truncated"] is True
    assert payload["model"] == "m"
    assert len(dumps(payload)) <= MAX_PAYLOAD_BYTES + 100
    assert payload["messages"][-1]["content"] == "39" + "x" * (MAX_TEXT_LENGTH - 2)
