"""Options of an agent's searches, and the trace of several searches in one turn."""

import pytest
from django.core.exceptions import ValidationError

from agents.testing import FakeOpenAI, call_tool, say
from agents.tests.factories import AgentFactory
from conversations.models import ToolExecution
from conversations.tests.test_turns import ask, caller, create_agent_at, make_agent
from knowledge.models import Chunk, Collection, Document, RagQuery
from knowledge.tests.factories import ChunkFactory, DocumentFactory

__all__ = ["caller", "make_agent"]
URL = "/api/v1/conversations/"
PARTS = ["Rivers rise in spring.", "Boats stay ashore.", "Fishers wait."]


def create_document(caller):
    """Add a document with three chunks of one section to the agent's collection."""
    with caller.scope():
        document, start = DocumentFactory(collection=Collection.objects.get(slug="sea"), title="Rivers"), 0
        for place, text in enumerate(PARTS):
            columns = {"content": text, "context": "Rivers", "start": start, "end": start + len(text)}
            ChunkFactory(document=document, chunk_index=place, token_count=5, **columns)
            start += len(text) + 1


def read_tool_results(request):
    return [row["content"] for row in request.body["messages"] if row["role"] == "tool"]


@pytest.mark.parametrize(
    ("config", "texts"),
    [
        ({}, [PARTS[1]]),
        ({"expand_tokens": 5}, [f"{PARTS[1]}\\n{PARTS[2]}"]),
        ({"expand_tokens": 100}, ["\\n".join(PARTS)]),
        ({"expand_tokens": "many"}, [PARTS[1]]),
    ],
)
def test_agent_gets_the_text_around_a_passage(caller, make_agent, config, texts):
    with FakeOpenAI(
        call_tool("search_knowledge", query="boats ashore"), say("Boats stay ashore. [1]")
    ) as server:
        agent = create_agent_at(caller, make_agent, server, config=config)
        create_document(caller)
        answer = ask(caller, agent)
    (result,) = read_tool_results(server.requests[1])

    assert all(f'"text":"{text}"' in result for text in texts)
    (cited,) = answer.citations
    assert (cited["quote"], cited["document_start"], cited["document_end"]) == (PARTS[1], 23, 41)


def test_turn_shows_each_search(caller, make_agent):
    searches = [call_tool("search_knowledge", query=query) for query in ("high water", "boats ashore")]
    with FakeOpenAI(
        *searches, say("High water comes at noon in Emden. [1] Boats stay ashore. [2]")
    ) as server:
        agent = create_agent_at(caller, make_agent, server)
        create_document(caller)
        answer = ask(caller, agent)
    with caller.scope():
        calls, queries = list(ToolExecution.objects.order_by("pk")), list(RagQuery.objects.order_by("pk"))
        found = [Chunk.objects.get(pk=call.tool_output[0]["id"]) for call in calls]

    assert [call.tool_input for call in calls] == [{"query": "high water"}, {"query": "boats ashore"}]
    assert [call.metadata for call in calls] == [
        {"query": str(query.pk), "queries": [query.query_text]} for query in queries
    ]
    # Passages are numbered through all searches of the turn.
    numbers = [row["number"] for call in calls for row in call.tool_output]
    assert numbers == list(range(1, len(numbers) + 1))
    assert [each["input"] for each in answer.tool_calls] == [call.tool_input for call in calls]
    assert {cited["chunk"] for cited in answer.citations} <= {
        row["id"] for call in calls for row in call.tool_output
    }
    assert [chunk.content for chunk in found][1] == PARTS[1]


def test_api_shows_the_passages_of_a_search(caller, make_agent, api_client, member):
    answer = ask(caller, make_agent())
    client = api_client(user=member.user)
    (call,) = client.get(f"{URL}{answer.conversation_id}/tool-executions/").json()["results"]
    with caller.scope():
        document = Document.objects.get()

    assert call["metadata"]["queries"] == [call["tool_input"]["query"]]
    (row,) = call["tool_output"]
    assert (row["number"], row["title"], row["source"]) == (1, "Tides", "tides.md")
    assert (row["document"], row["page"]) == (str(document.pk), None)


@pytest.mark.parametrize(
    "config",
    [{"expand_tokens": -1}, {"expand_tokens": 4001}, {"expand_tokens": 1.5}, {"diversity": 2}, ["x"]],
)
def test_invalid_options_are_rejected(scope, config):
    with pytest.raises(ValidationError) as error:
        AgentFactory.build(config=config).full_clean(exclude=["tenant"])
    assert set(error.value.error_dict) == {"config"}
