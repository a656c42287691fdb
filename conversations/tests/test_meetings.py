"""Meetings of experts: phases, stream, and workers killed at ten points."""

import json
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from django.test import override_settings

from agents.testing import FakeOpenAI, fail, say
from agents.tests.factories import AgentFactory, IntegrationFactory
from config.db.ids import uuid7
from config.tenancy.scope import tenant_scope
from conversations.meetings.runner import begin_meeting, follow_meeting, run_meeting
from conversations.models import AnswerLease, Message, SessionState
from conversations.runtime.turns import Caller
from conversations.services.conversations import begin_turn, start_conversation
from conversations.services.meeting_state import MeetingAgenda, parse_questions, parse_tasks
from conversations.services.meetings import MeetingRunningError, rebuild_meeting, render_event
from conversations.tests.factories import StreamEventFactory
from conversations.tests.workers import in_background, resume_due, workers

QUESTION = "How do we keep the harbour open in winter?"
URL = "/api/v1/conversations/"
EXPERTS = [{"id": "1", "name": "Ice"}, {"id": "2", "name": "Tide"}]
TYPES = [
    "meeting_start",
    "pm_question",
    "pm_question",
    "expert_response",
    "expert_response",
    "todo_update",
    "expert_response",
    "todo_update",
    "expert_response",
    "todo_update",
    "meeting_summary",
    "stream_complete",
]
# Where the worker is killed, and whether a model request must be repeated.
POINTS = [
    ("after conversations.meetings.runner:take_over 1", False),
    ("after conversations.meetings.runner:advance_meeting 1", False),
    ("before conversations.meetings.runner:run_turn 1", False),
    ("after conversations.meetings.runner:run_turn 1", False),
    ("before conversations.meetings.runner:run_turn 2", False),
    ("after conversations.runtime.loop:store_answer 2", False),
    ("before conversations.runtime.loop:store_answer 3", True),
    ("after conversations.meetings.runner:run_turn 4", False),
    ("before conversations.meetings.runner:run_turn 6", False),
    ("after conversations.services.meetings:_settle 7", False),
]


class Experts(FakeOpenAI):
    """Replies for each role of a meeting, depending on the prompt."""

    def take(self, request):
        super().take(request)
        prompt = request.body["messages"][-1]["content"]
        if "Which questions" in prompt:
            return say("Ice: How thick is it?\nTide: How high is it?")
        if "Which further questions" in prompt:
            self.rounds += 1
            return say("Tide: And at night?" if self.rounds == 1 else "None.")
        if "Which tasks" in prompt:
            return say("The plan:\n- Ice: Break it.\n- Tide: Watch it.")
        if "Summarise its results" in prompt:
            return say("Break the ice and watch the tide.")
        if "Your task" in prompt:
            return say("Broken." if "Break it" in prompt else "Watched.")
        return (
            fail(401)
            if self.silent and "How thick" in prompt
            else say("A hand." if "thick" in prompt else "A foot.")
        )

    silent = False
    rounds = 0


@pytest.fixture
def caller(tenant, member):
    return Caller(tenant.pk, member.user_id, f"user:{member.user_id}")


@pytest.fixture
def make_meeting(caller):
    """Return a function that creates a manager and two experts and opens a meeting."""

    def make(server, agenda=None, **fields):
        with caller.scope():
            shared = {
                "integration": IntegrationFactory(base_url=server.base_url),
                "model_provider": "openai-compatible",
                "model_name": "m",
            }
            manager = AgentFactory(name="Manager", **shared)
            experts = [AgentFactory(name=name, **shared) for name in ("Ice", "Tide")]
            conversation = start_conversation(manager, user_id=caller.user_id, **fields)
            return begin_meeting(
                conversation.pk, question=QUESTION, experts=experts, user_id=caller.user_id, agenda=agenda
            )

    return make


def streamed(caller, question):
    events = follow_meeting(caller, question.conversation_id, question.pk, 0)
    return [(event.sequence_number, render_event(event)) for event in events if event]


def test_a_meeting_goes_through_its_phases(caller, make_meeting):
    with Experts() as server:
        question = make_meeting(server)
        assert run_meeting(caller.tenant_id, question.pk)
    chunks = [chunk for _, chunk in streamed(caller, question)]
    assert [chunk["type"] for chunk in chunks] == TYPES
    assert [(each["to"], each["content"]) for each in chunks[1:3]] == [
        ("Ice", "How thick is it?"),
        ("Tide", "How high is it?"),
    ]
    assert [(each["expert"], each["content"]) for each in chunks[3:5]] == [
        ("Ice", "A hand."),
        ("Tide", "A foot."),
    ]
    assert [task["status"] for task in chunks[-3]["todo_list"]] == ["done", "done"]
    assert chunks[-2]["content"] == "Break the ice and watch the tide."
    assert chunks[0]["experts"] == ["Ice", "Tide"]


def list_types(caller, make_meeting, *phases, **limits):
    """Hold a meeting with these phases and return the types of its events, and the prompts."""
    with Experts() as server:
        question = make_meeting(server, MeetingAgenda(phases, **limits))
        assert run_meeting(caller.tenant_id, question.pk)
    prompts = [request.body["messages"][-1]["content"] for request in server.requests]
    return [chunk["type"] for _, chunk in streamed(caller, question)][1:-1], prompts


def test_a_meeting_has_the_phases_of_its_agenda(caller, make_meeting):
    assert list_types(caller, make_meeting, "summary")[0] == ["meeting_summary"]
    types, prompts = list_types(caller, make_meeting, "expert_input", "planning")
    assert types == ["expert_response"] * 2 + ["todo_update", "meeting_summary"]
    assert "What do you know about this?" in prompts[0]


@pytest.mark.parametrize(("max_rounds", "requests"), [(1, 4), (2, 7), (3, 8), (20, 8)])
def test_rounds_end_without_further_questions(caller, make_meeting, max_rounds, requests):
    types, prompts = list_types(caller, make_meeting, "questioning", "expert_input", max_rounds=max_rounds)

    rounds = min(max_rounds, 2)
    first, second = ["pm_question"] * 2, ["pm_question"]
    answers = ["expert_response"] * 2
    assert types == [*first, *answers, *(second + answers) * (rounds - 1), "meeting_summary"]
    assert len(prompts) == requests
    if rounds == 2:
        assert "Ice: A hand." in prompts[3]
        assert "- And at night?" in prompts[5]
        assert "- And at night?" not in prompts[4]


@pytest.mark.parametrize(
    ("phases", "max_rounds", "message"),
    [
        (("execution",), 1, "requires the phase planning"),
        (("questioning",), 2, "requires the phases"),
        (("summary", "party"), 1, "Unknown phases: party."),
        (("summary",), 0, "1 to 20 rounds"),
    ],
)
def test_impossible_agendas_are_refused(phases, max_rounds, message):
    with pytest.raises(ValueError, match=message):
        MeetingAgenda(phases, max_rounds)


def test_the_database_gives_the_meeting_as_it_was_streamed(caller, make_meeting):
    with Experts() as server:
        question = make_meeting(server)
        run_meeting(caller.tenant_id, question.pk)
    with caller.scope():
        built = rebuild_meeting(question.conversation_id)
        state = SessionState.objects.get()
        assert Message.objects.filter(role="assistant", status="completed").count() == 7
        assert not AnswerLease.objects.exists()
    assert built["chunks"] == [chunk for _, chunk in streamed(caller, question)]
    assert (built["status"], built["summary"]) == ("completed", "Break the ice and watch the tide.")
    assert (state.mode, state.phase) == ("expert-group", "summary")


def test_meeting_can_be_shown_without_a_message_that_is_gone(caller, make_meeting):
    with Experts() as server:
        question = make_meeting(server)
        run_meeting(caller.tenant_id, question.pk)
    with caller.scope():
        last = rebuild_meeting(question.conversation_id)["last"]
        for number, metadata in enumerate(({}, {"message": str(uuid7())}), start=1):
            message = {"role": "assistant", "content": "Gone.", "metadata": metadata}
            StreamEventFactory(
                conversation_id=question.conversation_id, sequence_number=last + number, message=message
            )
        chunks = rebuild_meeting(question.conversation_id)["chunks"]
    assert [chunk["content"] for chunk in chunks[-2:]] == ["Gone.", "Gone."]


def test_failed_expert_does_not_end_meeting(caller, make_meeting):
    with Experts() as server:
        server.silent = True
        question = make_meeting(server)
        run_meeting(caller.tenant_id, question.pk)
    chunks = [chunk for _, chunk in streamed(caller, question)]
    assert [chunk.get("error") for chunk in chunks[3:5]] == ["authentication", None]
    assert chunks[-1]["status"] == "completed"


@pytest.mark.parametrize("attempts", [0, 3])
def test_chat_mode_applies_again_after_a_meeting(caller, make_meeting, attempts):
    with Experts() as server:
        question = make_meeting(server, chat_mode="socratic")
        with caller.scope():
            AnswerLease.objects.update(attempts=attempts)
            assert SessionState.objects.get().mode == "expert-group"
        run_meeting(caller.tenant_id, question.pk)
    with caller.scope():
        begun = begin_turn(question.conversation_id, content="Why?", user_id=caller.user_id)
        assert SessionState.objects.get().mode == begun.answer.metadata["mode"] == "socratic"


def test_one_meeting_at_a_time(caller, make_meeting):
    with Experts() as server:
        question = make_meeting(server)
    with caller.scope():
        agents = [AgentFactory()]
        with pytest.raises(MeetingRunningError):
            begin_meeting(question.conversation_id, question="x", experts=agents, user_id=None)
        conversation = start_conversation(AgentFactory(), user_id=caller.user_id)
        with pytest.raises(ValidationError, match="different experts"):
            begin_meeting(conversation.pk, question="x", experts=agents * 2, user_id=None)


def test_meeting_fails_after_max_attempts(caller, make_meeting):
    with Experts() as server:
        question = make_meeting(server)
    with caller.scope():
        AnswerLease.objects.update(attempts=3)
    assert run_meeting(caller.tenant_id, question.pk)
    assert streamed(caller, question)[-1][1]["status"] == "failed"
    assert server.requests == []


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("1. **Ice**: How thick?\n2) Why?", [("How thick?", 0), ("Why?", None)]),
        ("I found nothing.", [("What do you know about this?", None)]),
    ],
)
def test_questions_are_parsed_from_manager_text(text, asked):
    assert [(each["question"], each["expert"]) for each in parse_questions(text, EXPERTS)] == asked


@pytest.mark.parametrize(
    ("text", "tasks"),
    [
        ("Plan:\n- Tide: Watch.\n* Break it.", [("Watch.", 1), ("Break it.", 1)]),
        ("No list.", [("Answer from your field.", 0), ("Answer from your field.", 1)]),
    ],
)
def test_tasks_are_parsed_from_manager_text(text, tasks):
    assert [(each["task"], each["expert"]) for each in parse_tasks(text, EXPERTS)] == tasks


def test_the_api_begins_and_shows_a_meeting(api_client, tenant):
    client = api_client()
    with tenant_scope(tenant, user=client.key.user):
        manager = AgentFactory(slug="manager")
        AgentFactory(slug="ice")
        conversation = start_conversation(manager, user_id=client.key.user_id)
    url, body = f"{URL}{conversation.pk}/meeting/", {"question": QUESTION, "experts": ["ice"]}
    assert client.get(url).status_code == 404
    begun = client.post(url, body, content_type="application/json")
    assert begun.status_code == 202, begun.content
    assert client.post(url, body, content_type="application/json").json()["code"] == "meeting_underway"
    assert api_client().get(url).status_code == 404
    run_meeting(tenant.pk, UUID(begun.json()["question"]))
    built = client.get(url).json()
    response = client.get(url, headers={"accept": "text/event-stream", "last-event-id": "1"})
    events = b"".join(response.streaming_content).decode().split("\n\n")[:-1]
    data = [json.loads(event.split("\n")[1].removeprefix("data: ")) for event in events]
    assert (built["status"], data) == ("completed", built["chunks"][1:])
    last = {"accept": "text/event-stream", "last-event-id": str(built["last"])}
    assert client.get(url, headers=last).status_code == 204


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@override_settings(ANSWER_LEASE_SECONDS=2)
def test_a_meeting_survives_kill_9_at_each_of_ten_points(caller, make_meeting):
    with Experts() as server, workers() as work:
        for number, (point, asked_again) in enumerate(POINTS):
            asked = len(server.requests)
            question = make_meeting(server)
            reader = in_background(lambda question=question: streamed(caller, question))
            assert work(point) == -9, point
            resume_due(caller, expire=number > 0)
            assert work() == 0
            chunks = reader()
            assert [chunk["type"] for _, chunk in chunks] == TYPES, point
            assert [place for place, _ in chunks] == list(range(1, len(TYPES) + 1)), point
            with caller.scope():
                built = rebuild_meeting(question.conversation_id)
                said = Message.objects.filter(conversation_id=question.conversation_id, role="assistant")
                assert list(said.values_list("status", flat=True)) == ["completed"] * 7, point
                assert not AnswerLease.objects.exists()
            assert built["chunks"] == [chunk for _, chunk in chunks], point
            assert len(server.requests) - asked == 7 + asked_again, point
