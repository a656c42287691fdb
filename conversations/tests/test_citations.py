"""Citations contain the position of their quotes and whether the passage supports the statement."""

from dataclasses import replace

import pytest

from agents.testing import FakeOpenAI, call_tool, say
from conversations.runtime.citations import renumber_citations
from conversations.tests.test_turns import ask, caller, create_agent_at, make_agent
from knowledge.services.search import FoundPassage

__all__ = ["caller", "make_agent"]
TIDES = "High water in Emden comes at noon.\nLow water  leaves the\nbasin dry until 18:00."
FEES = "Ein Liegeplatz kostet 30 Euro pro Nacht. Mitglieder zahlen die Hälfte."


def passage(text):
    return FoundPassage(None, None, "T", "t.md", "t.md", text, "", None, 0, 0.5)


def cite(content, *texts):
    return renumber_citations(content, [passage(text) for text in texts])[1]


def test_quotes_have_their_position_in_the_passage():
    (cited,) = cite("High water in Emden comes at noon. [1]\n\nLow water leaves the basin dry [1]", TIDES)

    assert (cited["quote"], TIDES[cited["start"] : cited["end"]]) == (TIDES[:34], TIDES[:34])
    assert [TIDES[span["start"] : span["end"]] for span in cited["spans"]] == [
        "High water in Emden comes at noon.",
        "Low water  leaves the\nbasin dry",
    ]


def test_paraphrases_have_the_beginning_of_the_passage():
    (cited,) = cite("At noon the water is high [1].", TIDES)

    assert (cited["quote"], cited["start"], cited["end"], cited["spans"]) == (TIDES, 0, len(TIDES), [])


def test_quotes_have_their_position_in_the_document():
    found = replace(passage(TIDES), start=100)
    (cited,) = renumber_citations("Low water leaves the basin dry [1]", [found])[1]

    assert (cited["document_start"], cited["document_end"]) == (100 + cited["start"], 100 + cited["end"])
    assert cited["spans"] == [
        {name: cited[name] for name in ("start", "end", "document_start", "document_end")}
    ]


def test_position_in_the_document_may_be_unknown():
    (cited,) = cite("At noon [1].", TIDES)

    assert (cited["document_start"], cited["document_end"]) == (None, None)


@pytest.mark.parametrize(
    ("content", "supported"),
    [
        ("High water comes at noon in Emden [1].", [True]),
        ("The basins are dry at low water [1].", [True]),
        ("Elephants eat grass every day [1].", [False]),
        ("High water comes at noon [1]. Elephants eat grass [1].", [False]),
        ("A berth costs 30 euros per night [2].", [None]),
        ("Ein Liegeplatz kostet pro Nacht 30 Euro [2].", [True]),
        ("Ein Liegeplatz für Elefanten kostet 99 Dollar [2].", [False]),
        ("High water in Emden [1], and elephants eat the grass there [2].", [True, None]),
        ("[1]", [None]),
        ("See [1].", [None]),
    ],
)
def test_statements_are_compared_with_the_cited_passage(content, supported):
    assert [cited["supported"] for cited in cite(content, TIDES, FEES)] == supported


def test_passages_support_a_statement_together():
    supported = cite(
        "Boats wait at noon and ships sail at night [1][2].", "Boats wait at noon.", "Ships sail at night."
    )

    assert [cited["supported"] for cited in supported] == [True, True]


def test_unsupported_citations_of_a_model_are_stored(caller, make_agent):
    search = call_tool("search_knowledge", query="high water")
    with FakeOpenAI(search, say("Elephants eat grass daily [1].")) as server:
        answer = ask(caller, create_agent_at(caller, make_agent, server))

    assert [cited["supported"] for cited in answer.citations] == [False]


def test_quotes_of_the_offline_model_are_supported(caller, make_agent):
    answer = ask(caller, make_agent())

    assert [cited["supported"] for cited in answer.citations] == [True]
