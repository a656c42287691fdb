"""State machine of a meeting: the next speaker and the effect of contributions. No database access.

The state is stored in `SessionState.state`: `meeting_state` (participants, questions, inputs, results, the pending
step), `todo_list` and `expert_selections`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from agents.services.factory_prompts import PromptRenderer, RenderedPrompt, render_built_in
from conversations.choices import MeetingPhase, MessageStatus, StreamType

MAX_QUESTIONS, MAX_TASKS, MAX_ROUNDS = 10, 10, 20
DEFAULT_QUESTION = "What do you know about this?"
BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+")
# Events whose content is a complete message.
WHOLE_MESSAGES = frozenset({StreamType.MEETING_START, StreamType.EXPERT_RESPONSE, StreamType.MEETING_SUMMARY})


@dataclass(frozen=True, slots=True)
class MeetingAgenda:
    """The phases of a meeting, and the maximum number of rounds of questions and contributions.

    The order of phases is fixed, and each meeting ends with a summary. The experts carry out only tasks of a plan.
    After a round the lead asks further questions; a round without any ends the rounds.

    Raises:
        ValueError: the phases or the number of rounds are not possible.
    """

    phases: tuple[str, ...] = tuple(MeetingPhase.values)
    max_rounds: int = 1

    def __post_init__(self) -> None:
        if unknown := set(self.phases) - set(MeetingPhase.values):
            raise ValueError(f"Unknown phases: {', '.join(sorted(unknown))}.")
        if MeetingPhase.EXECUTION in self.phases and MeetingPhase.PLANNING not in self.phases:
            raise ValueError("The phase execution requires the phase planning.")
        if not 1 <= self.max_rounds <= MAX_ROUNDS:
            raise ValueError(f"A meeting has 1 to {MAX_ROUNDS} rounds.")
        asked = {MeetingPhase.QUESTIONING, MeetingPhase.EXPERT_INPUT}
        if self.max_rounds > 1 and not asked <= set(self.phases):
            raise ValueError("More than one round requires the phases questioning and expert_input.")


@dataclass(frozen=True, slots=True)
class NextStep:
    """The next contribution; `expert` is an index into the experts, None for the project manager."""

    phase: str
    agent_id: UUID
    prompt: str
    expert: int | None = None
    task: int | None = None
    # The prompt that asks for the contribution.
    prompt_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class MeetingEvent:
    """An event of the meeting's stream."""

    kind: str
    content: str
    expert: str = ""
    data: dict[str, Any] = field(default_factory=dict)


def initial_state(
    state: dict[str, Any],
    question_id: UUID,
    manager: Any,
    experts: Sequence[Any],
    *,
    after: int,
    agenda: MeetingAgenda,
) -> dict[str, Any]:
    """Return the state of a new meeting; event numbers continue from the previous meeting."""
    meeting = {
        "status": "running",
        "question": str(question_id),
        "manager": {"id": str(manager.pk), "name": manager.name},
        "experts": [{"id": str(each.pk), "name": each.name} for each in experts],
        "phases": list(agenda.phases),
        "max_rounds": agenda.max_rounds,
        "round": 1,
        "questions": None if MeetingPhase.QUESTIONING in agenda.phases else [],
        "inputs": [],
        "results": [],
        "summary": None,
        "step": None,
        "sequence": after,
        "first": after + 1,
    }
    names = [each.name for each in experts]
    return {**state, "meeting_state": meeting, "todo_list": [], "expert_selections": names}


def get_meeting(state: dict[str, Any]) -> dict[str, Any]:
    """Return the meeting in the state, or an empty dict."""
    return state.get("meeting_state") or {}


def get_participants(state: dict[str, Any]) -> dict[str, Any]:
    """Return the participants."""
    meeting = get_meeting(state)
    return {"manager": meeting["manager"]["name"], "experts": [each["name"] for each in meeting["experts"]]}


def wait_for(state: dict[str, Any], step: NextStep, answer_id: UUID) -> None:
    """Mark `step` as pending until `answer_id` is complete."""
    waiting = {"phase": step.phase, "answer": str(answer_id), "expert": step.expert, "task": step.task}
    get_meeting(state)["step"] = waiting


def get_next_position(state: dict[str, Any]) -> int:
    """Reserve and return the number of the next stream event."""
    meeting = get_meeting(state)
    meeting["sequence"] += 1
    return int(meeting["sequence"])


# --- next speaker -----------------------------------------------------------------------------------------


def next_step(
    state: dict[str, Any], question: str, render: PromptRenderer = render_built_in
) -> NextStep | None:
    """Return the next step, or None at the end of the meeting."""
    meeting, todo = get_meeting(state), state["todo_list"]
    manager, experts = UUID(meeting["manager"]["id"]), meeting["experts"]
    if meeting["questions"] is None:
        return _build_questions(meeting, question, render)
    if (place := _find_speaker(meeting)) is not None:
        asked = render("meeting.expert", questions=_list_questions(meeting, place))
        text = f"{question}\n\n{asked.text}{_format_contributions(meeting['inputs'])}"
        return _build_step(MeetingPhase.EXPERT_INPUT, UUID(experts[place]["id"]), asked, text, expert=place)
    if not todo and _has_phase(meeting, MeetingPhase.PLANNING):
        asked = render("meeting.plan")
        text = f"{question}{_format_contributions(meeting['inputs'])}\n\n{asked.text}"
        return _build_step(MeetingPhase.PLANNING, manager, asked, text)
    task = next((each for each in todo if each["status"] == "pending"), None)
    if task and _has_phase(meeting, MeetingPhase.EXECUTION):
        place = task["expert"]
        asked = render("meeting.work", task=task["task"])
        text = f"{question}\n\n{asked.text}{_format_contributions(meeting['results'])}"
        agent_id = UUID(experts[place]["id"])
        return _build_step(MeetingPhase.EXECUTION, agent_id, asked, text, expert=place, task=task["number"])
    if meeting["summary"] is None:
        asked = render("meeting.summary")
        heard = _format_contributions(meeting["inputs"] + meeting["results"])
        return _build_step(MeetingPhase.SUMMARY, manager, asked, f"{question}{heard}\n\n{asked.text}")
    return None


def _build_questions(meeting: dict[str, Any], question: str, render: PromptRenderer) -> NextStep:
    """Return the request for questions, or for further questions in later rounds."""
    names = ", ".join(each["name"] for each in meeting["experts"])
    asked = render(
        "meeting.questions" if meeting.get("round", 1) == 1 else "meeting.follow_up", experts=names
    )
    text = f"{question}{_format_contributions(meeting['inputs'])}\n\n{asked.text}"
    return _build_step(MeetingPhase.QUESTIONING, UUID(meeting["manager"]["id"]), asked, text)


def _find_speaker(meeting: dict[str, Any]) -> int | None:
    """Return the expert who contributes next in this round, or None after the last."""
    place = len(meeting["inputs"]) - len(meeting["experts"]) * (meeting.get("round", 1) - 1)
    is_left = _has_phase(meeting, MeetingPhase.EXPERT_INPUT) and place < len(meeting["experts"])
    return place if is_left else None


def _has_phase(meeting: dict[str, Any], phase: str) -> bool:
    # Meetings that began before phases could be chosen have all of them.
    return phase in meeting.get("phases", MeetingPhase.values)


def _build_step(phase: str, agent_id: UUID, asked: RenderedPrompt, text: str, **place: int) -> NextStep:
    return NextStep(phase, agent_id, text, prompt_id=asked.prompt_id, **place)


def _list_questions(meeting: dict[str, Any], place: int) -> str:
    questions = [each["question"] for each in meeting["questions"] if each["expert"] in (None, place)]
    if not meeting["questions"]:
        questions = [DEFAULT_QUESTION]
    return "\n".join(f"- {question}" for question in questions)


def _format_contributions(contributions: list[dict[str, Any]]) -> str:
    lines = [f"{each['expert']}: {each['content']}" for each in contributions if each["content"]]
    return "\n\nThis was said:\n" + "\n\n".join(lines) if lines else ""


# --- effect of a contribution -----------------------------------------------------------------------------


def apply_contribution(state: dict[str, Any], waiting: dict[str, Any], answer: Any) -> Iterator[MeetingEvent]:
    """Apply `answer` to the state and yield its events. Failures are reported; the meeting continues."""
    meeting = get_meeting(state)
    meeting["step"] = None
    content = answer.content if answer.status == MessageStatus.COMPLETED else ""
    yield from _SETTLE[waiting["phase"]](state, meeting, waiting, answer, content)


def _settle_questions(
    state: Any, meeting: Any, waiting: Any, answer: Any, content: str
) -> Iterator[MeetingEvent]:
    meeting["questions"] = parse_questions(content, meeting["experts"])
    if meeting.get("round", 1) > 1 and not any(line.strip().endswith("?") for line in content.splitlines()):
        # The lead has no further questions: the previous round was the last.
        meeting["questions"] = []
        meeting["round"] = meeting["max_rounds"] = meeting["round"] - 1
    for each in meeting["questions"]:
        expert = meeting["experts"][each["expert"]]["name"] if each["expert"] is not None else ""
        yield MeetingEvent(
            StreamType.PM_QUESTION, each["question"], meeting["manager"]["name"], {"to": expert}
        )


def _settle_input(
    state: Any, meeting: Any, waiting: Any, answer: Any, content: str
) -> Iterator[MeetingEvent]:
    name = meeting["experts"][waiting["expert"]]["name"]
    meeting["inputs"].append({"expert": name, "message": str(answer.pk), "content": content})
    if _find_speaker(meeting) is None and meeting.get("round", 1) < meeting.get("max_rounds", 1):
        meeting["round"] += 1
        meeting["questions"] = None
    yield MeetingEvent(StreamType.EXPERT_RESPONSE, answer.content, name, _failure(answer))


def _settle_plan(state: Any, meeting: Any, waiting: Any, answer: Any, content: str) -> Iterator[MeetingEvent]:
    state["todo_list"] = parse_tasks(content, meeting["experts"])
    yield MeetingEvent(
        StreamType.TODO_UPDATE, "", meeting["manager"]["name"], {"todo_list": _copy(state["todo_list"])}
    )


def _settle_work(state: Any, meeting: Any, waiting: Any, answer: Any, content: str) -> Iterator[MeetingEvent]:
    task = state["todo_list"][waiting["task"] - 1]
    task["status"] = "done" if answer.status == MessageStatus.COMPLETED else "failed"
    name = meeting["experts"][waiting["expert"]]["name"]
    meeting["results"].append({"expert": name, "message": str(answer.pk), "content": content})
    yield MeetingEvent(
        StreamType.EXPERT_RESPONSE, answer.content, name, {"task": task["number"], **_failure(answer)}
    )
    yield MeetingEvent(StreamType.TODO_UPDATE, "", name, {"todo_list": _copy(state["todo_list"])})


def _settle_summary(
    state: Any, meeting: Any, waiting: Any, answer: Any, content: str
) -> Iterator[MeetingEvent]:
    meeting["summary"] = str(answer.pk)
    yield MeetingEvent(
        StreamType.MEETING_SUMMARY, answer.content, meeting["manager"]["name"], _failure(answer)
    )


_SETTLE = {
    MeetingPhase.QUESTIONING: _settle_questions,
    MeetingPhase.EXPERT_INPUT: _settle_input,
    MeetingPhase.PLANNING: _settle_plan,
    MeetingPhase.EXECUTION: _settle_work,
    MeetingPhase.SUMMARY: _settle_summary,
}


def _failure(answer: Any) -> dict[str, Any]:
    return {} if answer.status == MessageStatus.COMPLETED else {"error": answer.error_code}


def _copy(todo: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [dict(task) for task in todo]


def parse_questions(text: str, experts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the questions in `text` with their addressees; by default one question to all experts."""
    lines = (BULLET.sub("", line).strip() for line in text.splitlines())
    found = [_split_addressee(line, experts) for line in lines if line.endswith("?")]
    asked = [{"question": words, "expert": expert} for expert, words in found[:MAX_QUESTIONS]]
    return asked or [{"question": DEFAULT_QUESTION, "expert": None}]


def parse_tasks(text: str, experts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the list items in `text` with their experts; by default one task per expert."""
    items = [BULLET.sub("", line) for line in text.splitlines() if BULLET.match(line)]
    found = [_split_addressee(line, experts) for line in items if line.strip()][:MAX_TASKS]
    found = found or [(place, "Answer from your field.") for place in range(len(experts))]
    return [
        {
            "number": number,
            "task": words,
            "expert": (number - 1) % len(experts) if expert is None else expert,
            "status": "pending",
        }
        for number, (expert, words) in enumerate(found, 1)
    ]


def _split_addressee(line: str, experts: list[dict[str, Any]]) -> tuple[int | None, str]:
    """Split a line at its colon into the named expert and the rest."""
    name, colon, rest = line.partition(":")
    for place, expert in enumerate(experts):
        if colon and name.strip(" *").casefold() == expert["name"].casefold():
            return place, rest.strip(" *")
    return None, line.strip()
