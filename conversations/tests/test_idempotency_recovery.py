"""Repeated requests whose first process was killed, failed or still works."""

import pytest
from django.test import override_settings

from agents.testing import FakeOpenAI, fail, say
from agents.tests.factories import AgentFactory, IntegrationFactory
from config.tenancy.scope import tenant_scope
from conversations.answers import AnswerResponse
from conversations.api.streaming import stream_answers
from conversations.models import AnswerLease, Conversation, Message
from conversations.services.conversations import begin_turn, start_conversation
from conversations.services.leases import fail_answer
from conversations.streaming.threads import acquire_place
from conversations.tests.workers import resume_due, workers
from knowledge.tests.crashes import crash_requests
from tenants.models import IdempotencyKey

URL = "/api/v1/conversations/"
QUESTION = "When is high water?"
KEY = {"idempotency-key": "once"}
STORED = "config.api.idempotency:_store 1"
# Where the process of the first request is killed, and whether its question is stored.
POINTS = [
    ("before conversations.answers:load_turn 1", False),
    ("before conversations.answers:run_turn 1", True),
    ("before conversations.runtime.loop:store_answer 1", True),
    ("after conversations.runtime.loop:store_answer 1", True),
    (f"before {STORED}", True),
]


@pytest.fixture
def server():
    with FakeOpenAI(say("At noon.")) as server:
        yield server


@pytest.fixture
def agent(tenant, server):
    with tenant_scope(tenant, actor="system:test"):
        account = IntegrationFactory(base_url=server.base_url)
        return AgentFactory(
            slug="guide", integration=account, model_provider="openai-compatible", model_name="m", timeout=5
        )


@pytest.fixture
def client(api_client):
    return api_client()


def caller_of(client):
    """Return an object whose `scope()` is the client's."""
    from conversations.runtime.turns import Caller

    key = client.key
    return Caller(key.tenant_id, key.user_id, f"key:{key.pk}")


def build_request(client, kind):
    """Return path and body of a request that asks the agent; `kind` is what it creates."""
    if kind == "conversation":
        return URL, {"agent": "guide", "message": QUESTION}
    created = post(client, URL, {"agent": "guide"}).json()
    return f"{URL}{created['id']}/messages/", {"content": QUESTION}


def post(client, path, data, **headers):
    return client.post(path, data, content_type="application/json", headers=headers or None)


def count_rows(tenant):
    with tenant_scope(tenant, actor="system:test"):
        return Conversation.objects.count(), Message.objects.count()


def get_answer(body):
    return body.get("answer") or body


@pytest.mark.slow
@pytest.mark.unmeasured
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["conversation", "message"])
@override_settings(ANSWER_LEASE_SECONDS=2)
def test_retry_gets_the_answer_of_a_killed_process(client, agent, tenant, kind):
    slow_imports = "pydantic_ai.models.openai"
    with crash_requests(slow_imports, ANSWER_LEASE_SECONDS="2") as send, workers() as work:
        for number, (point, is_stored) in enumerate(POINTS):
            path, data = build_request(client, kind)
            headers = {"idempotency-key": f"key {number}", "authorization": f"Bearer {client.key.secret}"}
            before = count_rows(tenant)
            assert send(point, path=path, data=data, headers=headers) == -9, point
            stored = count_rows(tenant)[1] - before[1]
            assert stored == (2 if is_stored else 0), point
            pending = held_answers(tenant)
            retry = post(client, path, data, **headers)
            if pending:
                assert (retry.status_code, retry.json()["code"]) == (409, "idempotency_in_progress"), point
                assert int(retry["Retry-After"]) > 0
                resume_due(caller_of(client), expire=False)
                assert work() == 0
                retry = post(client, path, data, **headers)
            assert retry.status_code == 201, (point, retry.content)
            assert get_answer(retry.json())["content"] == "At noon.", point
            again = post(client, path, data, **headers)
            assert (again.status_code, again.content) == (201, retry.content), point
            assert again["Location"] == retry["Location"]
            added = 1 if kind == "conversation" else 0
            assert count_rows(tenant) == (before[0] + added, before[1] + 2), point


def held_answers(tenant):
    with tenant_scope(tenant, actor="system:test"):
        return AnswerLease.objects.count()


@pytest.fixture
def begun(client, agent, tenant):
    """A claimed key whose answer is pending under a lease, as after the process was killed."""
    response = post(client, URL, {"agent": "guide", "message": QUESTION}, **KEY)
    with caller_of(client).scope():
        Conversation.objects.all().delete()
        conversation = start_conversation(agent, user_id=client.key.user_id)
        turn = begin_turn(conversation.pk, content=QUESTION, user_id=client.key.user_id)
        reference = {"conversation": str(conversation.pk), "answers": [str(turn.answer.pk)]}
        changed = IdempotencyKey.objects.update(status_code=None, body=None, headers={}, reference=reference)
    assert (response.status_code, changed) == (201, 1)
    return turn


def repeat(client, **headers):
    return post(client, URL, {"agent": "guide", "message": QUESTION}, **KEY, **headers)


def test_retry_waits_for_a_held_lease(client, begun, tenant):
    responses = [repeat(client) for _ in range(2)]
    assert [(each.status_code, each["Retry-After"]) for each in responses] == [(409, "2")] * 2
    assert count_rows(tenant) == (1, 2)


def test_retry_of_an_expired_lease_starts_the_takeover(client, begun, tenant, monkeypatch):
    deferred = []
    monkeypatch.setattr("conversations.answers.defer_resume", lambda *job: deferred.append(job))
    with tenant_scope(tenant, actor="system:test"):
        AnswerLease.objects.update(lease_until="2020-01-01T00:00:00Z")
    assert repeat(client).status_code == 409
    assert deferred == [(tenant.pk, begun.answer.pk)]


def test_streamed_retry_leaves_the_takeover_to_its_reader(client, begun, tenant, monkeypatch):
    deferred, deferred_by_reader = [], []
    monkeypatch.setattr("conversations.answers.defer_resume", lambda *job: deferred.append(job))
    monkeypatch.setattr(
        "conversations.streaming.answers.defer_resume", lambda *job: deferred_by_reader.append(job)
    )
    monkeypatch.setattr("conversations.streaming.answers.KEEP_ALIVE_SECONDS", 0)
    with tenant_scope(tenant, actor="system:test"):
        AnswerLease.objects.update(lease_until="2020-01-01T00:00:00Z")
    reference = {"conversation": str(begun.conversation.pk), "answers": [str(begun.answer.pk)]}
    place = acquire_place(tenant.pk, is_streamed=True)
    stream = AnswerResponse(caller_of(client), tuple, tuple, stream_answers, place).resume(reference)
    events = iter(stream.streaming_content)
    while not deferred_by_reader:
        next(events)
    stream.close()
    assert (deferred, deferred_by_reader) == ([], [(tenant.pk, begun.answer.pk)])


def test_retry_gets_a_failed_answer_once_and_then_runs_again(client, begun, tenant):
    with caller_of(client).scope():
        fail_answer(begun.lease, reason="The process stopped.")
    failed = repeat(client)
    assert (failed.status_code, failed.json()["code"]) == (502, "interrupted")
    assert failed.json()["message"] == str(begun.answer.pk)
    assert repeat(client).status_code == 201


def test_retry_after_the_conversation_was_deleted_is_404_once(client, begun, tenant):
    with caller_of(client).scope():
        Conversation.objects.all().delete()
    assert repeat(client).status_code == 404
    assert repeat(client).status_code == 201


def test_retry_does_not_see_a_conversation_that_its_user_has_left(client, begun, member):
    with caller_of(client).scope():
        begun.conversation.participants.all().delete()
    with tenant_scope(member.tenant_id, actor="system:test"):
        Conversation.objects.update(user=member.user)
    assert repeat(client).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_repeated_stream_follows_the_same_answer(client, agent, tenant):
    path, data = build_request(client, "message")
    headers = KEY | {"accept": "text/event-stream"}
    streams = [b"".join(post(client, path, data, **headers).streaming_content) for _ in range(2)]
    started = [stream.split(b"\n\n")[0] for stream in streams]
    assert started[0] == started[1]
    assert b"event: message.completed" in streams[1]
    assert count_rows(tenant) == (1, 2)
    assert post(client, path, data, **KEY).json()["content"] == "At noon."


def test_failed_answer_leaves_the_key_free(client, agent, tenant, server):
    server.script[:0] = [fail(401)]
    path, data = build_request(client, "message")
    assert [post(client, path, data, **KEY).status_code for _ in range(2)] == [502, 201]
