"""Confidence and subject of answers and sessions."""

import pytest

from agents.testing import FakeOpenAI, call_tool, say
from conversations.models import SessionSummary
from conversations.runtime.answer_assessment import compute_confidence
from conversations.runtime.summaries import summarize
from conversations.tests.test_turns import ask, caller, create_agent_at, make_agent
from knowledge.services.search import FoundPassage

__all__ = ["caller", "make_agent"]
SEARCH = call_tool("search_knowledge", query="high water")


def passage(text):
    return FoundPassage("1", "2", "Tides", "tides.md", "", text, "", None, 0, 1.0)


@pytest.mark.parametrize(
    ("content", "confidence"),
    [
        ("High water comes at noon [1].", 1.0),
        ("High water comes at midnight [1].", 0.75),
        ("The moon is made from cheese.", 0.0),
        ("[1] [2]", None),
        ("", None),
    ],
)
def test_confidence_is_the_share_of_words_from_the_passages(content, confidence):
    found = compute_confidence(content, [passage("High water comes at noon.")])

    assert found == (None if confidence is None else pytest.approx(confidence, abs=0.05))


def test_answers_from_knowledge_have_confidence_and_subject(caller, make_agent):
    grounded = ask(caller, make_agent())
    with FakeOpenAI(SEARCH, say("Elephants eat grass daily.")) as server:
        invented = ask(caller, create_agent_at(caller, make_agent, server))

    assert (grounded.conversation_domain, grounded.confidence_score > 0.9) == ("Sea", True)
    assert (invented.conversation_domain, invented.confidence_score) == ("", 0.0)


def test_answers_without_passages_have_none(caller, make_agent):
    with FakeOpenAI(say("High water comes at noon.")) as server:
        answer = ask(caller, create_agent_at(caller, make_agent, server))

    assert (answer.confidence_score, answer.conversation_domain) == (None, "")


@pytest.mark.parametrize(("question", "domain"), [("When is high water?", "Sea"), ("Zzz qqq xyzzy?", None)])
def test_summary_has_the_subject_of_its_answers_else_the_first_topic(caller, make_agent, question, domain):
    answer = ask(caller, make_agent(), question=question)
    summarize(caller.tenant_id, answer.conversation_id)
    with caller.scope():
        found = SessionSummary.objects.get(conversation_id=answer.conversation_id)

    assert found.conversation_domain == (domain or found.key_topics[0])
