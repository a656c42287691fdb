"""The extractive model quotes and cites the right passage, or declines."""

import asyncio

import pytest

from agents.runtime.extractive import NO_QUESTION, NOTHING_FOUND, RetrievedPassage, answer_question
from agents.runtime.extractive_model import ExtractiveModel

TIDES = RetrievedPassage(
    "p1",
    "Harbour handbook",
    "# Tides\n\nHigh water at the north pier is forty minutes after Dover. Low water leaves the\n"
    "inner basin dry. Boats with a keel must not enter the inner basin at low water.",
    context="Tides",
)
FEES = RetrievedPassage(
    "p2",
    "Harbour handbook",
    "A berth costs 30 pounds a night. Members pay half. Fees are paid at the harbour office.",
    context="Fees > Berths",
    page=4,
)
FUEL = RetrievedPassage(
    "p3", "Fuel notice", "Diesel is sold from the blue pontoon. Petrol is not sold here.", context="Fuel"
)
PASSAGES = [TIDES, FEES, FUEL]
ANSWERABLE = [
    ("When is high water at the north pier?", 0, "forty minutes after Dover"),
    ("May a keel boat enter the inner basin at low water?", 0, "must not enter"),
    ("How much does a berth cost for a night?", 1, "30 pounds"),
    ("Where are the fees paid?", 1, "harbour office"),
    ("Where is diesel sold?", 2, "blue pontoon"),
    ("is petrol sold", 2, "Petrol is not sold here"),
]
UNRELATED = [
    "How do I bake sourdough bread?",
    "Who won the 1966 world cup?",
    "What is the capital of Mongolia?",
    "Which vaccine prevents measles?",
    "Who painted the water lilies in Giverny?",
    "How high is Mount Everest?",
    "What does the annual report say about revenue?",
]


@pytest.mark.parametrize(("question", "passage", "words"), ANSWERABLE)
def test_the_best_sentence_is_quoted_first(question, passage, words):
    found = answer_question(question, PASSAGES)
    assert found.found
    assert found.citations[0].passage == passage
    assert words in found.citations[0].quote
    assert f"[{passage + 1}]" in found.text


@pytest.mark.parametrize("question", UNRELATED)
def test_unrelated_questions_are_declined(question):
    declined = answer_question(question, PASSAGES)
    assert (declined.text, declined.citations, declined.found) == (NOTHING_FOUND, [], False)


@pytest.mark.parametrize(("question", "_passage", "_words"), ANSWERABLE)
def test_every_quote_is_an_exact_piece_of_its_passage(question, _passage, _words):
    for citation in answer_question(question, PASSAGES).citations:
        assert citation.quote in PASSAGES[citation.passage].text
        assert citation.document == PASSAGES[citation.passage].document_title


def test_text_consists_of_quotes_and_markers():
    found = answer_question("What about low water in the inner basin?", PASSAGES)
    quotes = [" ".join(citation.quote.split()) + f" [{citation.passage + 1}]" for citation in found.citations]
    assert found.text == "\n\n".join(quotes)
    assert 1 <= len(quotes) <= 3


def test_repeated_sentences_are_quoted_once():
    quotes = [cited.quote for cited in answer_question("Where is diesel sold?", [FUEL, FUEL]).citations]
    assert quotes[0] == "Diesel is sold from the blue pontoon."
    assert len(quotes) == len(set(quotes))


@pytest.mark.parametrize(("similarity", "is_found"), [(None, False), (0.8, False), (0.93, True)])
def test_similar_passages_need_fewer_equal_words(similarity, is_found):
    row = {"id": "p", "text": "A medical certificate is due on day four.", "similarity": similarity}
    question = "When must I bring a certificate from the doctor?"

    assert answer_question(question, [RetrievedPassage.from_mapping(row)]).found is is_found


@pytest.mark.parametrize("question", ["", "???", "what is it?"])
def test_input_without_a_question_is_reported(question):
    assert answer_question(question, PASSAGES).text == NO_QUESTION


def test_without_passages_nothing_is_found():
    assert answer_question("Where is diesel sold?", []).text == NOTHING_FOUND


def test_words_in_camel_case_are_found():
    passage = RetrievedPassage("p", "tempfile", "class TemporaryDirectory removes the folder on exit.")
    assert answer_question("Is the temporary directory removed?", [passage]).found


def agent_over(rows):
    from pydantic_ai import Agent

    agent, queries = Agent(ExtractiveModel()), []

    @agent.tool_plain
    def search_knowledge(query: str) -> list[dict]:
        queries.append(query)
        return rows() if callable(rows) else rows

    return agent, queries


ROWS = [
    {
        "id": p.id,
        "document": "d",
        "title": p.document_title,
        "text": p.text,
        "score": 1.0,
        "context": p.context,
    }
    | {"page": p.page}
    for p in PASSAGES
]


def test_an_agent_run_searches_and_then_quotes():
    agent, queries = agent_over(ROWS)
    result = asyncio.run(agent.run("How much does a berth cost for a night?"))
    assert queries == ["How much does a berth cost for a night?"]
    assert result.output.startswith("A berth costs 30 pounds a night. [2]")
    assert result.usage.requests == 2
    assert result.usage.input_tokens > 50
    details = result.all_messages()[-1].provider_details
    assert details["citations"][0] == {
        "passage": 2,
        "id": "p2",
        "document": "Harbour handbook",
        "quote": "A berth costs 30 pounds a night.",
        "page": 4,
        "start": 0,
        "end": 32,
        "document_start": None,
        "header": "",
    }


def test_second_question_is_searched_again():
    agent, queries = agent_over(ROWS)
    first = asyncio.run(agent.run("Where is diesel sold?"))
    second = asyncio.run(agent.run("Where are the fees paid?", message_history=first.all_messages()))
    assert queries == ["Where is diesel sold?", "Where are the fees paid?"]
    assert "harbour office. [2]" in second.output


def test_streaming_gives_the_same_answer_in_pieces():
    agent, _ = agent_over(ROWS)
    question = "When is high water at the north pier?"

    async def stream():
        async with agent.run_stream(question) as result:
            return [piece async for piece in result.stream_text(delta=True, debounce_by=None)], result.usage

    pieces, usage = asyncio.run(stream())
    whole = asyncio.run(agent.run(question))
    assert len(pieces) > 2
    assert "".join(pieces) == whole.output
    assert usage.output_tokens == whole.usage.output_tokens > 0


@pytest.mark.parametrize("rows", [[], [{"id": "no text"}], "not json", {"passages": ROWS[2:]}])
def test_unusual_tool_results_are_accepted(rows):
    agent, _ = agent_over(rows)
    output = asyncio.run(agent.run("How much does a berth cost for a night?")).output
    assert output == NOTHING_FOUND


def test_failed_search_is_reported_in_the_answer():
    from pydantic_ai import ModelRetry

    def broken():
        raise ModelRetry("index is being rebuilt")

    agent, _ = agent_over(broken)
    assert "could not search" in asyncio.run(agent.run("Where is diesel sold?")).output


def test_nothing_is_found_without_a_search_tool():
    from pydantic_ai import Agent

    assert asyncio.run(Agent(ExtractiveModel()).run("Where is diesel sold?")).output == NOTHING_FOUND
