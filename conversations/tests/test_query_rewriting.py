"""Rewriting of search queries by the agent's model, and feedback on the prompts of an answer."""

import pytest

from agents.models import AgentRun, LlmUsage, SystemPrompt
from agents.services.factory_prompts import create_factory_prompts
from agents.testing import FakeOpenAI, call_tool, fail, say
from agents.tests.factories import AgentFactory
from config.tenancy.scope import platform_scope
from conversations.models import Message
from conversations.runtime.query_rewriting import parse_queries
from conversations.services.feedback import give_feedback
from conversations.tests.test_turns import ask, caller, create_agent_at, make_agent
from knowledge.choices import RelationKind
from knowledge.models import RagQuery
from knowledge.tests.factories import TermFactory, TermRelationFactory

__all__ = ["caller", "make_agent"]
URL = "/api/v1/conversations/"
SEARCH = call_tool("search_knowledge", query="flood")
REWRITTEN = say("1. When does the flood come?\n- high water Emden\nFLOOD\n\nlow water\nebb")
ON = {"query_rewriting": True}


@pytest.fixture
def prompts(db):
    """The rows of the factory prompts."""
    with platform_scope(reason="test", actor="system:test"):
        create_factory_prompts()


def get_prompt(caller, key):
    with caller.scope():
        return SystemPrompt.objects.get(prompt_key=key)


def test_lines_of_the_answer_are_queries():
    assert parse_queries("flood", REWRITTEN.text) == [
        "flood",
        "When does the flood come?",
        "high water Emden",
        "low water",
    ]


def test_model_rewrites_the_query(caller, make_agent, prompts):
    with FakeOpenAI(SEARCH, REWRITTEN, say("At noon [1].")) as server:
        answer = ask(caller, create_agent_at(caller, make_agent, server, config=ON))
    system, user = server.requests[1].body["messages"]
    assert system["content"].startswith("You rewrite a query")
    assert user["content"].splitlines()[-1] == '{"query": "flood"}'
    assert [cited["source"] for cited in answer.citations] == ["tides.md"]
    with caller.scope():
        query = RagQuery.objects.get()
        usage, run = list(LlmUsage.objects.all()), AgentRun.objects.get()
    assert (query.query_text, query.filters["queries"]) == ("flood", parse_queries("flood", REWRITTEN.text))
    assert (len(usage), run.model_calls) == (3, 3)
    assert answer.token_count == sum(row.prompt_tokens + row.completion_tokens for row in usage)
    assert get_prompt(caller, "search.query").usage_count == 1


def test_feedback_counts_for_the_rewriting_prompt(caller, make_agent, prompts):
    with FakeOpenAI(SEARCH, REWRITTEN, say("At noon [1].")) as server:
        agent = create_agent_at(caller, make_agent, server, config=ON, prompt_key="agent.knowledge")
        answer = ask(caller, agent)
    with caller.scope():
        give_feedback(Message.objects.get(pk=answer.pk), "helpful")
    for key in ("agent.knowledge", "search.query"):
        prompt = get_prompt(caller, key)
        assert (prompt.verdict_count, prompt.average_satisfaction, prompt.success_rate) == (1, 5, 1)


def test_search_works_if_rewriting_fails(caller, make_agent):
    with FakeOpenAI(
        call_tool("search_knowledge", query="high water"), fail(400), say("At noon [1].")
    ) as server:
        answer = ask(caller, create_agent_at(caller, make_agent, server, config=ON))
    assert (answer.status, len(answer.citations)) == ("completed", 1)
    with caller.scope():
        assert "queries" not in RagQuery.objects.get().filters
        assert LlmUsage.objects.exclude(error_message="").count() == 1


def test_queries_are_not_rewritten_by_default(caller, make_agent):
    with FakeOpenAI(SEARCH, say("At noon.")) as server:
        ask(caller, create_agent_at(caller, make_agent, server))
    assert len(server.requests) == 2


def test_offline_agent_searches_with_synonyms(caller, make_agent):
    agent = make_agent(config=ON)
    with caller.scope():
        TermRelationFactory(
            term=TermFactory(term="flood"), related=TermFactory(term="high water"), kind=RelationKind.SYNONYM
        )
    ask(caller, agent, "When is the flood?")
    with caller.scope():
        query = RagQuery.objects.get()
    assert (query.query_text, query.filters["queries"]) == (
        "When is the flood?",
        ["When is the flood? high water"],
    )
    assert len(query.results) == 1


def test_feedback_counts_for_the_collaboration_prompt(api_client, caller, prompts):
    with caller.scope():
        for slug in ("ann", "ben"):
            AgentFactory(slug=slug)
    client = api_client()
    body = {"mode": "collaborative", "agents": ["ann", "ben"], "message": "When?"}
    made = client.post(URL, body, content_type="application/json").json()
    for answer in made["answer"]["answers"]:
        path = f"{URL}{made['id']}/messages/{answer['id']}/feedback/"
        assert (
            client.post(path, {"feedback": "unhelpful"}, content_type="application/json").status_code == 200
        )
    prompt = get_prompt(caller, "conversation.collaboration")
    assert (prompt.usage_count, prompt.verdict_count, prompt.average_satisfaction) == (1, 1, 0)
