import json

import pytest

from agents.models import AgentCollection
from agents.testing import FakeOpenAI, fail, say, unreachable_url
from agents.tests.factories import AgentFactory, IntegrationFactory
from config.tenancy.scope import tenant_scope
from conversations.models import Conversation, Message
from conversations.tests.factories import ConversationFactory
from knowledge.services.collections import get_or_create_collection
from knowledge.services.folder_ingestion import Ingestion

URL = "/api/v1/conversations/"
QUESTION = "When is high water in Emden?"


@pytest.fixture
def agent(tenant, tmp_path):
    (tmp_path / "tides.md").write_text("# Tides\n\nHigh water comes at noon in Emden.")
    with tenant_scope(tenant, actor="system:test"):
        collection, _ = get_or_create_collection("sea")
    ingestion = Ingestion(tenant.pk, collection, "system:test")
    list(ingestion.run(ingestion.files(tmp_path)))
    with tenant_scope(tenant, actor="system:test"):
        agent = AgentFactory(slug="guide")
        AgentCollection.objects.create(agent=agent, collection=collection)
    return agent


@pytest.fixture
def client(api_client):
    return api_client()


def post(client, url, body, **headers):
    return client.post(url, body, content_type="application/json", headers=headers or None)


def create_agent_at(tenant, agent, base_url):
    with tenant_scope(tenant, actor="system:test"):
        agent.integration = IntegrationFactory(base_url=base_url)
        agent.model_provider, agent.model_name, agent.timeout = "openai-compatible", "m", 5
        agent.save()


def test_single_request_returns_cited_answer(client, agent):
    response = post(client, URL, {"agent": "guide", "message": QUESTION})
    assert response.status_code == 201, response.content
    answer = response.json()["answer"]
    assert answer["content"] == "High water comes at noon in Emden. [1]"
    assert [cited["source"] for cited in answer["citations"]] == ["tides.md"]
    assert response.json()["message_count"] == 2


@pytest.mark.parametrize("name", ["slug", "id"])
def test_agent_by_slug_or_id(client, agent, name):
    response = post(client, URL, {"agent": "guide" if name == "slug" else str(agent.pk)})
    assert response.status_code == 201
    assert response.json()["agent"] == str(agent.pk)
    assert "answer" not in response.json()


def test_messages_are_numbered_in_order(client, agent):
    conversation = post(client, URL, {"agent": "guide"}).json()["id"]
    answer = post(client, f"{URL}{conversation}/messages/", {"content": QUESTION})
    assert answer.status_code == 201, answer.content
    assert answer.json()["citations"][0]["quote"] == "High water comes at noon in Emden."
    listed = client.get(f"{URL}{conversation}/messages/?ordering=id").json()["results"]
    assert [(row["sequence_number"], row["role"]) for row in listed] == [(1, "user"), (2, "assistant")]
    assert client.get(answer["Location"]).json() == answer.json()
    assert len(client.get(f"{URL}{conversation}/tool-executions/").json()["results"]) == 1
    assert len(client.get(f"{URL}{conversation}/participants/").json()["results"]) == 2


def test_message_without_answer(client, agent):
    conversation = post(client, URL, {"agent": "guide"}).json()["id"]
    body = {"content": "Noted elsewhere.", "answer": False, "role": "assistant"}
    response = post(client, f"{URL}{conversation}/messages/", body)
    assert (response.status_code, response.json()["role"]) == (201, "assistant")
    assert client.get(f"{URL}{conversation}/").json()["message_count"] == 1


@pytest.mark.django_db(transaction=True)
def test_an_answer_is_streamed(client, agent, tenant):
    conversation = post(client, URL, {"agent": "guide"}).json()["id"]
    url = f"{URL}{conversation}/messages/"
    response = post(client, url, {"content": QUESTION}, accept="text/event-stream")
    assert response["Content-Type"] == "text/event-stream"
    events = [
        part.split("\n") for part in b"".join(response.streaming_content).decode().split("\n\n") if part
    ]
    names = [lines[0].removeprefix("event: ") for lines in events]
    assert names[0] == "message.started"
    assert set(names[1:-1]) == {"message.delta"}
    last = json.loads(events[-1][1].removeprefix("data: "))
    assert (names[-1], last["content"]) == ("message.completed", "High water comes at noon in Emden. [1]")
    with tenant_scope(tenant):
        assert Message.objects.get(pk=last["id"]).status == "completed"


@pytest.mark.parametrize(
    ("base_url", "reply", "status", "code"),
    [
        (unreachable_url(), None, 502, "unreachable"),
        (None, fail(429, 0), 503, "rate_limited"),
        (None, fail(500), 502, "server_error"),
    ],
    ids=["down", "busy", "broken"],
)
def test_model_failure_returns_error_and_keeps_question(client, agent, tenant, base_url, reply, status, code):
    with FakeOpenAI(reply or say("never")) as server:
        create_agent_at(tenant, agent, base_url or server.base_url)
        response = post(client, URL, {"agent": "guide", "message": QUESTION})
    problem = response.json()
    assert (response.status_code, problem["code"]) == (status, code)
    with tenant_scope(tenant):
        assert Message.objects.get(pk=problem["question"]).content == QUESTION
        failed = Message.objects.get(pk=problem["message"])
        assert (failed.status, failed.error_code, failed.error_message) == ("failed", code, problem["detail"])


def test_idempotency_key_asks_once(client, agent, tenant):
    bodies = [
        post(client, URL, {"agent": "guide", "message": QUESTION}, **{"idempotency-key": "k1"})
        for _ in range(2)
    ]
    assert bodies[0].json() == bodies[1].json()
    assert bodies[1]["Idempotency-Replayed"] == "true"
    with tenant_scope(tenant):
        assert (Conversation.objects.count(), Message.objects.count()) == (1, 2)


def test_failed_question_can_be_retried_with_same_key(client, agent, tenant):
    with FakeOpenAI(fail(401), say("Noon.")) as server:
        create_agent_at(tenant, agent, server.base_url)
        header = {"idempotency-key": "k2"}
        first = post(client, URL, {"agent": "guide", "message": QUESTION}, **header)
        second = post(client, URL, {"agent": "guide", "message": QUESTION}, **header)
    assert (first.status_code, second.status_code) == (502, 201)


def test_colleagues_do_not_see_each_others_conversations(client, api_client, agent):
    conversation = post(client, URL, {"agent": "guide", "message": QUESTION}).json()["id"]
    colleague = api_client()
    assert colleague.get(URL).json()["results"] == []
    for address in ("", "messages/", "participants/", "tool-executions/"):
        assert colleague.get(f"{URL}{conversation}/{address}").status_code == 404
    assert post(colleague, f"{URL}{conversation}/messages/", {"content": "x"}).status_code == 404
    recorded = post(colleague, f"{URL}{conversation}/messages/", {"content": "x", "answer": False})
    assert recorded.status_code == 404


def test_foreign_and_missing_agents_are_indistinguishable(client, other_tenant):
    with tenant_scope(other_tenant, actor="system:test"):
        foreign = AgentFactory(slug="theirs")
    answers = [
        post(client, URL, {"agent": name})
        for name in (str(foreign.pk), "theirs", "01a20ac6-8994-7028-95c3-86eafe762003")
    ]
    assert {response.status_code for response in answers} == {400}
    assert len({json.dumps(response.json()["errors"]) for response in answers}) == 1


def test_viewer_can_read_but_not_ask(api_client, agent):
    viewer = api_client("viewer")
    assert viewer.get(URL).status_code == 200
    assert post(viewer, URL, {"agent": "guide", "message": QUESTION}).status_code == 403


def test_closed_conversation_rejects_messages(client, agent, tenant):
    conversation = post(client, URL, {"agent": "guide"}).json()["id"]
    patched = client.patch(f"{URL}{conversation}/", {"status": "completed"}, content_type="application/json")
    assert patched.status_code == 200, patched.content
    for body in ({"content": "x"}, {"content": "x", "answer": False}):
        response = post(client, f"{URL}{conversation}/messages/", body)
        assert (response.status_code, response.json()["code"]) == (409, "conversation_closed")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"content": ""},
        {"content": None},
        {"content": "a\0b"},
        {"content": ["x"]},
        {"content": "x", "role": "king"},
    ],
)
def test_invalid_input_is_rejected(client, agent, body):
    conversation = post(client, URL, {"agent": "guide"}).json()["id"]
    response = post(client, f"{URL}{conversation}/messages/", body)
    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")


def test_list_query_count_is_constant(client, tenant, django_assert_max_num_queries):
    with tenant_scope(tenant, user=client.key.user):
        ConversationFactory.create_batch(1, user=client.key.user)
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as one:
        client.get(URL)
    with tenant_scope(tenant, user=client.key.user):
        ConversationFactory.create_batch(2, user=client.key.user)
    with CaptureQueriesContext(connection) as three:
        assert len(client.get(URL).json()["results"]) == 3
    assert len(one) == len(three)
