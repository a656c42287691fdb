"""Judged questions that a model writes for passages."""

import json

import pytest

from agents.models import LlmUsage
from agents.testing import FakeOpenAI, fail, say
from agents.tests.factories import AgentFactory, BudgetFactory
from audit.models import AuditLog
from conversations.runtime.question_generation import generate_questions, parse_question
from conversations.tests.test_turns import caller, create_agent_at, make_agent
from knowledge.models import Chunk, Collection, JudgedQuestion

__all__ = ["caller", "make_agent"]
PASSAGE = "High water comes at\nnoon in Emden."
GOOD = say(json.dumps({"question": "When is high water in Emden?", "answer": "at noon"}))


def generate(caller, agent):
    """Generate questions for the agent's collection, and return it."""
    with caller.scope():
        Chunk.objects.update(token_count=20)
        collection = Collection.objects.get()
    generate_questions(caller, collection.pk, agent.pk, passages=5)
    with caller.scope():
        return Collection.objects.get()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (GOOD.text, ("When is high water in Emden?", "at noon")),
        ('```json\n{"question": "When?", "answer": "at  noon"}\n```', ("When?", "at noon")),
        ('{"question": "When?", "answer": "at midnight"}', None),
        ('{"question": "Is it at noon?", "answer": "at noon"}', None),
        ('{"question": "", "answer": "at noon"}', None),
        ('{"question": "When?", "answer": ""}', None),
        ('{"question": "When?", "answer": ["at noon"]}', None),
        ("no JSON", None),
        ("{" * 5000 + "}", None),
    ],
)
def test_only_questions_whose_answer_is_in_the_passage_are_taken(text, found):
    assert parse_question(text, PASSAGE) == found


def test_questions_of_the_model_become_shared_suggestions(caller, make_agent):
    with FakeOpenAI(GOOD) as server:
        collection = generate(caller, create_agent_at(caller, make_agent, server))
    system, user = server.requests[0].body["messages"]
    with caller.scope():
        (row,) = JudgedQuestion.objects.all()
        usage, chunk = LlmUsage.objects.get(), Chunk.objects.get()
        event = AuditLog.objects.get(action="collection.questions_generated")

    assert system["content"].startswith("You get a passage")
    assert json.loads(user["content"])["passage"] == chunk.content
    assert (row.question, row.grades, row.gold) == (
        "When is high water in Emden?", {"tides.md": 1}, ["at noon"],
    )  # fmt: skip
    assert (row.status, row.origin, row.is_shared, row.user_id) == ("suggested", "model", True, None)
    assert (row.chunk_id, collection.question_progress, collection.question_error) == (chunk.pk, 100, "")
    assert (usage.feature_context, usage.user_id) == ("evaluation", caller.user_id)
    assert event.metadata == {"asked": 1, "stored": 1, "dropped": 0}


def test_a_question_without_its_answer_in_the_passage_is_dropped(caller, make_agent):
    wrong = say('{"question": "When is high water?", "answer": "at midnight"}')
    with FakeOpenAI(wrong) as server:
        generate(caller, create_agent_at(caller, make_agent, server))
    with caller.scope():
        event = AuditLog.objects.get(action="collection.questions_generated")
        assert (JudgedQuestion.objects.count(), LlmUsage.objects.count()) == (0, 1)

    assert event.metadata == {"asked": 1, "stored": 0, "dropped": 1}


def test_a_failed_request_is_reported_and_stored(caller, make_agent):
    with FakeOpenAI(fail(401)) as server:
        collection = generate(caller, create_agent_at(caller, make_agent, server))
    with caller.scope():
        usage = LlmUsage.objects.get()

    assert (collection.question_progress, bool(collection.question_error)) == (100, True)
    assert usage.error_message


def test_budgets_apply_to_the_generation(caller, make_agent):
    with FakeOpenAI(GOOD) as server:
        agent = create_agent_at(caller, make_agent, server)
        with caller.scope():
            BudgetFactory(subject="agent", subject_id=agent.pk, limit_value=1)
        collection = generate(caller, agent)

    assert server.requests == []
    assert "budget" in collection.question_error.lower()


def test_the_api_queues_the_generation(api_client, caller, make_agent):
    with FakeOpenAI(GOOD) as server:
        agent = create_agent_at(caller, make_agent, server)
    with caller.scope():
        offline, elsewhere = AgentFactory(), AgentFactory(model_provider="openai-compatible")
    url = "/api/v1/collections/sea/generate-questions/"

    def post(client, named):
        return client.post(url, {"agent": named.slug, "passages": 3}, content_type="application/json")

    client = api_client("analyst")
    queued = post(client, agent)
    refused = [post(client, each).json()["code"] for each in (offline, elsewhere)]

    assert (queued.status_code, queued.json()) == (202, {"question_progress": 0})
    assert client.get("/api/v1/collections/sea/").json()["question_progress"] == 0
    assert refused == ["no_model", "not_searched"]
    assert post(api_client("user"), agent).status_code == 403
