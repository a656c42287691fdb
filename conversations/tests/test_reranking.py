"""Reranking of passages by the agent's model."""

import json

import pytest

from agents.models import AgentRun, LlmUsage
from agents.testing import FakeOpenAI, call_tool, fail, say
from conversations.runtime.reranking import order_passages
from conversations.tests.test_query_rewriting import REWRITTEN, get_prompt, prompts
from conversations.tests.test_turns import ask, caller, create_agent_at, make_agent
from knowledge.models import Collection, RagQuery
from knowledge.services.folder_ingestion import Ingestion
from knowledge.services.search import FoundPassage

__all__ = ["caller", "make_agent", "prompts"]
SEARCH = call_tool("search_knowledge", query="high water")
ON = {"reranker": "model"}


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("[3] > [1] > [2]", [3, 1, 2]),
        ("2, 2, 2", [2, 1, 3]),
        ("[9] > [0] > [-3] > [999999999999]", [3, 1, 2]),
        ("", [1, 2, 3]),
        ("none", [1, 2, 3]),
        ("1 " * 100_000, [1, 2, 3]),
    ],
)
def test_numbers_of_the_answer_are_the_order(text, order):
    passages = [
        FoundPassage(None, None, "T", "t.md", "", "Text.", "", None, number, 0.5) for number in (1, 2, 3)
    ]
    assert [passage.chunk_index for passage in order_passages(passages, text)] == order


@pytest.fixture
def make_reader(caller, make_agent, tmp_path):
    """Return a function that creates an agent at a server with two passages about water."""

    def make(server, **fields):
        agent = create_agent_at(caller, make_agent, server, **fields)
        (tmp_path / "rivers.md").write_text("# Rivers\n\nThe water of the river is high in spring.")
        with caller.scope():
            ingestion = Ingestion(caller.tenant_id, Collection.objects.get(), "system:test")
        list(ingestion.run(ingestion.files(tmp_path)))
        return agent

    return make


def search_with(caller, make_reader, *replies, **fields):
    """Return the titles found by a search, the requests, the answer and the recorded search."""
    with FakeOpenAI(SEARCH, *replies, say("At noon [1].")) as server:
        answer = ask(caller, make_reader(server, **fields))
    with caller.scope():
        return server.requests, answer, RagQuery.objects.get()


def test_model_orders_the_passages(caller, make_reader, prompts):
    requests, answer, query = search_with(caller, make_reader, say("[2] > [1]"), config=ON)
    system, user = requests[1].body["messages"]
    assert system["content"].startswith("You order passages")
    first, second, last = map(json.loads, user["content"].splitlines())
    assert [first["passage"], second["passage"], last] == [1, 2, {"query": "high water"}]
    assert [cited["title"] for cited in answer.citations] == [second["title"]]
    assert [row["rerank_score"] for row in query.results] == [1.0, 0.5]
    with caller.scope():
        usage, run = list(LlmUsage.objects.all()), AgentRun.objects.get()
    assert (len(usage), run.model_calls) == (3, 3)
    assert answer.token_count == sum(row.prompt_tokens + row.completion_tokens for row in usage)
    assert get_prompt(caller, "search.ranking").usage_count == 1


def test_model_rewrites_and_orders(caller, make_reader, prompts):
    config = {"query_rewriting": True} | ON
    requests, answer, query = search_with(caller, make_reader, REWRITTEN, say("[2]"), config=config)
    assert (len(requests), answer.status, len(query.results)) == (4, "completed", 2)
    assert query.filters["queries"][0] == "high water"
    for key in ("search.query", "search.ranking"):
        assert get_prompt(caller, key).usage_count == 1


@pytest.mark.parametrize(
    ("reply", "problem"), [(fail(400), "the model failed"), (say("[7] > x"), "the model named no passage")]
)
def test_search_works_if_ranking_fails(caller, make_reader, reply, problem):
    _, answer, query = search_with(caller, make_reader, reply, config=ON)
    assert (answer.status, len(answer.citations)) == ("completed", 1)
    assert [row["rerank_error"] for row in query.results] == [problem] * 2


@pytest.mark.parametrize("config", [{}, {"reranker": True}, {"reranker": ["model"]}])
def test_passages_are_not_ordered_by_default(caller, make_reader, config):
    requests, _, query = search_with(caller, make_reader, config=config)
    assert len(requests) == 2
    assert "rerank_score" not in query.results[0]


def test_offline_agent_does_not_order_passages(caller, make_agent):
    assert ask(caller, make_agent(config=ON)).status == "completed"
