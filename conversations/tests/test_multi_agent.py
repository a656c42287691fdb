"""Several agents answering one message, in multi and collaborative mode."""

import json

import pytest
from django.test import override_settings

from agents.testing import FakeOpenAI, fail, say
from agents.tests.factories import AgentFactory, IntegrationFactory
from config.tenancy.scope import tenant_scope
from conversations.models import AnswerLease, Message
from conversations.runtime.recovery import resume_answer
from conversations.runtime.turns import Caller
from conversations.services.conversations import begin_round, start_conversation
from conversations.tests.test_streams import events_of
from conversations.tests.workers import expire_lease

URL = "/api/v1/conversations/"


@pytest.fixture
def client(api_client):
    return api_client()


@pytest.fixture
def agents(tenant):
    """Return a function that creates agents with these names."""

    def make(server, *names):
        with tenant_scope(tenant, actor="system:test"):
            shared = {
                "integration": IntegrationFactory(base_url=server.base_url),
                "model_provider": "openai-compatible",
                "model_name": "m",
                "timeout": 5,
            }
            return [AgentFactory(name=name, slug=name.lower(), **shared) for name in names]

    return make


def start(client, mode, message="When?", **body):
    body = {"mode": mode, "agents": ["ann", "ben"], "message": message} | body
    return client.post(URL, body, content_type="application/json")


def prompts(server):
    return [
        [each["content"] for each in request.body["messages"] if each["role"] != "system"]
        for request in server.requests
    ]


def test_several_agents_answer_side_by_side(client, agents, tenant):
    with FakeOpenAI(say("Noon."), say("Twelve."), say("Yes."), say("Indeed.")) as server:
        ann, ben = agents(server, "Ann", "Ben")
        made = start(client, "multi").json()
        url = f"{URL}{made['id']}/messages/"
        again = client.post(url, {"content": "Sure?"}, content_type="application/json").json()
    assert [(each["agent"], each["content"]) for each in made["answer"]["answers"]] == [
        (str(ann.pk), "Noon."),
        (str(ben.pk), "Twelve."),
    ]
    assert made["answer"]["content"] == "Twelve."
    assert [each["sequence_number"] for each in again["answers"]] == [5, 6]
    assert prompts(server) == [
        ["When?"],
        ["When?"],
        ["When?", "Noon.", "Sure?"],
        ["When?", "Twelve.", "Sure?"],
    ]


def test_agents_that_work_together_see_the_answers_before(client, agents):
    with FakeOpenAI(say("Noon."), say("Noon, in Emden.")) as server:
        agents(server, "Ann", "Ben")
        made = start(client, "collaborative").json()
    assert made["answer"]["content"] == "Noon, in Emden."
    first, second = prompts(server)
    assert first == ["When?"]
    assert "Ann: Noon." in second[0]


def test_failed_agent_does_not_affect_others(client, agents):
    with FakeOpenAI(fail(401), say("Twelve.")) as server:
        agents(server, "Ann", "Ben")
        made = start(client, "multi")
    assert made.status_code == 201
    assert [each["status"] for each in made.json()["answer"]["answers"]] == ["failed", "completed"]


def test_when_all_fail_the_request_fails(client, agents):
    with FakeOpenAI(fail(401)) as server:
        agents(server, "Ann", "Ben")
        response = start(client, "multi")
    assert (response.status_code, response.json()["code"]) == (502, "authentication")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"mode": "multi", "agent": "ann"}, "agents"),
        ({"mode": "multi", "agents": ["ann"]}, "agents"),
        ({"agents": ["ann", "ben"]}, "agent"),
        ({"mode": "multi", "agents": ["ann", "ann"]}, "agents"),
        ({"mode": "multi", "agents": ["ann", "nobody"]}, "agents"),
    ],
)
def test_agents_must_fit_the_mode(client, agents, body, field):
    with FakeOpenAI() as server:
        agents(server, "Ann", "Ben")
        response = client.post(URL, body, content_type="application/json")
    assert response.status_code == 400
    assert field in json.dumps(response.json()["errors"])


@pytest.mark.django_db(transaction=True)
@override_settings(ANSWER_LEASE_SECONDS=5)
def test_answers_are_streamed_in_order(client, agents, tenant):
    with FakeOpenAI(say("Noon."), say("Twelve.")) as server:
        agents(server, "Ann", "Ben")
        made = client.post(
            URL, {"mode": "multi", "agents": ["ann", "ben"]}, content_type="application/json"
        ).json()
        url = f"{URL}{made['id']}/messages/"
        headers = {"accept": "text/event-stream"}
        response = client.post(url, {"content": "When?"}, content_type="application/json", headers=headers)
        events = events_of(b"".join(response.streaming_content).decode())
    assert [event["event"] for event in events if event["event"] != "message.delta"] == [
        "message.started",
        "message.completed",
    ] * 2
    said = [json.loads(event["data"])["content"] for event in events if event["event"] == "message.completed"]
    assert said == ["Noon.", "Twelve."]
    with tenant_scope(tenant):
        assert not AnswerLease.objects.exists()


def test_collaborative_answer_waits_for_earlier_answer_after_crash(tenant, member, agents):
    caller = Caller(tenant.pk, member.user_id, f"user:{member.user_id}")
    with FakeOpenAI(say("Noon."), say("Noon, in Emden.")) as server:
        ann, ben = agents(server, "Ann", "Ben")
        with caller.scope():
            conversation = start_conversation(ann, others=[ben], mode="collaborative", user_id=caller.user_id)
            begun = begin_round(conversation.pk, content="When?", user_id=caller.user_id)
            for each in begun:
                expire_lease(each.lease)
        assert resume_answer(tenant.pk, begun[1].answer.pk) is None
        assert resume_answer(tenant.pk, begun[0].answer.pk).content == "Noon."
        assert resume_answer(tenant.pk, begun[1].answer.pk).content == "Noon, in Emden."
    with caller.scope():
        assert Message.objects.filter(status="completed").count() == 3
