"""Chat modes: the router chooses the agent of each question, and Socratic agents ask back."""

import pytest

from accounts.tests.factories import WorkProfileFactory
from agents.testing import FakeOpenAI, say
from agents.tests.factories import AgentCollectionFactory, AgentFactory
from config.tenancy.scope import tenant_scope
from conversations.models import Conversation, Message, SessionState
from conversations.services.agent_routing import route_question
from conversations.tests.test_multi_agent import agents, client
from knowledge.tests.factories import CollectionFactory

__all__ = ["agents", "client"]
URL = "/api/v1/conversations/"


def start(client, **body):
    return client.post(URL, body, content_type="application/json")


def ask(client, conversation, content):
    address = f"{URL}{conversation['id']}/messages/"
    return client.post(address, {"content": content}, content_type="application/json").json()


@pytest.fixture
def candidates(scope):
    """Three agents: of databases, of texts, and of the sea by its collection."""
    database = AgentFactory(
        name="Database", slug="database", description="Answers questions about partitions and indexes."
    )
    writer = AgentFactory(name="Writer", slug="writer", capabilities=["proof_reading", "translation"])
    sailor = AgentFactory(name="Captain", slug="captain")
    sea = CollectionFactory(name="Tides", description="High and low water in harbours.")
    AgentCollectionFactory(agent=sailor, collection=sea)
    return [database, writer, sailor]


@pytest.mark.parametrize(
    ("question", "slug", "shared"),
    [
        ("How do I drop an old partition?", "database", "partition"),
        ("Please translate this, and proof-read it.", "writer", "proof"),
        ("When is high water in the harbour?", "captain", "high, water, harbour"),
        ("WHAT ARE TIDES?", "captain", "tides"),
    ],
)
def test_router_picks_the_agent_by_its_words_and_says_why(candidates, member, question, slug, shared):
    route = route_question(question, candidates, user_id=member.user_id, latest=None)

    assert route.agent.slug == slug == max(route.scores, key=route.scores.get)
    assert route.reason.startswith(f"The question and {route.agent.name} have these words in common: ")
    assert all(each in route.reason for each in shared.split(", "))


def test_router_continues_with_the_latest_agent_if_no_word_matches(candidates, member):
    latest = candidates[1]
    routes = [
        route_question("And why?", candidates, user_id=member.user_id, latest=each)
        for each in (latest.pk, None)
    ]

    assert [route.agent.slug for route in routes] == ["writer", "database"]
    assert routes[0].reason.endswith("Writer gave the latest answer.")
    assert routes[1].reason.endswith("Database is the first one.")


def test_router_leaves_out_agents_that_the_user_disabled(candidates, member):
    WorkProfileFactory(user_id=member.user_id, agent_settings={"database": {"enabled": False}})
    question = "How do I drop an old partition?"

    route = route_question(question, candidates, user_id=member.user_id, latest=None)
    alone = route_question(question, candidates[:1], user_id=member.user_id, latest=None)

    assert (route.agent.slug, "database" in route.scores) == ("writer", False)
    assert alone.agent.slug == "database"


def test_smart_router_answers_with_one_agent_and_stores_the_reason(client, agents, tenant):
    with FakeOpenAI(say("First."), say("Second."), say("Third.")) as server:
        agents(server, "Tides", "Ice")
        started = start(
            client,
            agents=["tides", "ice"],
            mode="multi",
            chat_mode="smart-router",
            message="How thick is ice?",
        ).json()
        second = ask(client, started, "And the tides?")
        third = ask(client, started, "Why?")

    answers = [started["answer"], *(each.get("answer", each) for each in (second, third))]
    routing = [answer["metadata"]["routing"] for answer in answers]
    assert [each["agent"] for each in routing] == ["ice", "tides", "tides"]
    assert routing[0]["reason"] == "The question and Ice have these words in common: ice."
    assert routing[2]["reason"].endswith("Tides gave the latest answer.")
    # The agent of each answer knows the whole conversation.
    assert [m["content"] for m in server.requests[1].body["messages"] if m["role"] == "assistant"] == [
        "First."
    ]
    with tenant_scope(tenant, user=client.key.user):
        assert SessionState.objects.get(conversation_id=started["id"]).mode == "smart-router"
        assert Message.objects.filter(role="assistant").count() == 3


def test_without_the_router_every_agent_answers(client, agents):
    with FakeOpenAI() as server:
        agents(server, "Tides", "Ice")
        start(client, agents=["tides", "ice"], mode="multi", message="How thick is ice?")

    assert len(server.requests) == 2


@pytest.mark.parametrize(("chat_mode", "asks_back"), [("socratic", True), ("simple", False)])
def test_socratic_agents_are_told_to_ask_back(client, agents, chat_mode, asks_back):
    with FakeOpenAI(say("What moves the water?")) as server:
        agents(server, "Guide")
        started = start(client, agent="guide", chat_mode=chat_mode, message="Why are there tides?").json()
        branch = client.post(
            f"{URL}{started['id']}/fork/", {"at": started["answer"]["id"]}, content_type="application/json"
        ).json()
        ask(client, branch, "The moon?")

    asked_back = [
        "Ask the person one short question" in str(each.body["messages"]) for each in server.requests
    ]
    assert asked_back == [asks_back, asks_back]
    assert (started["answer"]["metadata"].get("mode") == "socratic") is asks_back


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"agent": "quoting", "chat_mode": "socratic"}, "chat_mode"),
        ({"agent": "guide", "chat_mode": "smart-router"}, "chat_mode"),
        ({"agents": ["guide", "quoting"], "mode": "collaborative", "chat_mode": "smart-router"}, "chat_mode"),
        ({"agent": "guide", "chat_mode": "expert-group"}, "chat_mode"),
        ({"agent": "guide", "chat_mode": "riddles"}, "chat_mode"),
    ],
)
def test_modes_that_cannot_work_are_refused(client, agents, tenant, body, field):
    with FakeOpenAI() as server:
        agents(server, "Guide")
    with tenant_scope(tenant, actor="system:test"):
        AgentFactory(slug="quoting")
    response = start(client, **body)

    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"] == f"/{field}"
    with tenant_scope(tenant, actor="system:test"):
        assert not Conversation.objects.exists()
