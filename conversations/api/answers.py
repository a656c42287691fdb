"""Answers of agents as HTTP: one JSON object, or a stream of server-sent events.

Events of a stream: `message.started` (ids of question and answer), `message.delta` (`text`),
`message.reset` (what was said so far is void), `message.completed` (the whole answer), `message.waiting` (it
waits for a person to allow a tool; its text begins anew when it goes on) or `message.failed` (a problem). All
deltas since the last reset are the answer's text. Each event has an id; a reader who sends the
last one as `Last-Event-ID` gets what came after it. Source of the format: the HTML standard, section 9.2.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse

from config.api.exceptions import Problem
from config.api.renderers import dumps
from config.api.serializers import reader
from conversations.api.serializers import MessageSerializer
from conversations.choices import MessageStatus
from conversations.models import Message
from conversations.runtime.rounds import stream_round
from conversations.runtime.streaming import (
    START,
    Delta,
    KeepAlive,
    Place,
    Reset,
    TooManyStreams,
    follow_answer,
    stream_turn,
)
from conversations.runtime.turns import Caller, Turn
from conversations.services.conversations import BegunTurn
from conversations.services.leases import give_up

EVENT_STREAM = "text/event-stream"
# The id of a stream's last event.
END = "end"
KEEP_ALIVE = b": still at work\n\n"
STATUSES = {
    "timeout": 504,
    "rate_limited": 503,
    "budget_exceeded": 429,
    "misconfigured": 409,
    "refused_request": 409,
    "internal": 500,
    "search_failed": 503,
}


class AnswerFailed(Problem):
    """The question is stored, its answer failed; the members name both."""

    def __init__(self, answer: Message, question_id: Any) -> None:
        super().__init__(
            answer.error_message,
            answer.error_code,
            conversation=str(answer.conversation_id),
            question=str(question_id),
            message=str(answer.pk),
        )
        self.status_code = STATUSES.get(answer.error_code, 502)
        if self.status_code == 503:
            self.wait = 10


class Busy(Problem):
    """Too many answers are being streamed."""

    status_code = 503
    default_detail = "Too many answers are being streamed now. Try again, or ask without streaming."
    default_code = "too_many_streams"
    wait = 5


class BadEventId(Problem):
    """The reader names an event that no stream has."""

    status_code = 400
    default_detail = "Last-Event-ID is not the id of an event of this stream."
    default_code = "bad_event_id"


def shown(message: Message) -> dict[str, Any]:
    """A message as the API shows it."""
    return reader(MessageSerializer).to_representation(message)


def require_completed(answer: Message, question_id: Any) -> Message:
    """`answer` when it is complete, or waits for a person's decision.

    Raises:
        AnswerFailed: when it is not.
    """
    if answer.status not in (MessageStatus.COMPLETED, MessageStatus.AWAITING_APPROVAL):
        raise AnswerFailed(answer, question_id)
    return answer


def wants_stream(request: Any) -> bool:
    """Whether the client asks for server-sent events."""
    return EVENT_STREAM in request.META.get("HTTP_ACCEPT", "")


def stream(turn: Turn, question_id: Any) -> StreamingHttpResponse:
    """The answer as it comes.

    Raises:
        Busy: when this process streams as many answers as it may.
    """
    try:
        events = stream_turn(turn)
    except TooManyStreams as error:
        turn.fail("too_many_streams", Busy.default_detail, [])
        raise Busy from error
    return _streamed(events, _named(turn.conversation_id, question_id, turn.answer_id), is_new=True)


def stream_all(begun: Sequence[BegunTurn], caller: Caller) -> StreamingHttpResponse:
    """The answers of several agents as they come, one after the other, each with events of its own.

    Raises:
        Busy: when this process streams as many answers as it may.
    """
    try:
        events = stream_round(begun, caller)
    except TooManyStreams as error:
        with caller.scope():
            for each in begun:
                give_up(each.lease, code="too_many_streams", reason=Busy.default_detail)
        raise Busy from error
    return as_stream(_round_lines(events))


def _round_lines(events: Iterator[Any]) -> Iterator[bytes]:
    speaking = None
    try:
        for begun, event in events:
            names = _named(begun.conversation.pk, begun.question.pk, begun.answer.pk)
            if begun is not speaking:
                speaking = begun
                yield event_line("message.started", names, START)
            yield _line(event, names)
    except Message.DoesNotExist:
        yield event_line("message.failed", {"code": "deleted", "detail": "The conversation is gone."}, END)


def shown_round(made: list[Message]) -> dict[str, Any]:
    """The last answer that is complete, with all of them in `answers`.

    Raises:
        AnswerFailed: when none is complete.
    """
    complete = [answer for answer in made if answer.status == MessageStatus.COMPLETED]
    if not complete:
        raise AnswerFailed(made[-1], made[-1].reply_to_id)
    return shown(complete[-1]) | {"answers": [shown(answer) for answer in made]}


def follow(caller: Caller, answer: Message, last_event_id: str) -> HttpResponse:
    """The answer from the event after `last_event_id` on; 204 when there is no more.

    Raises:
        BadEventId: when no stream has such an id.
    """
    if last_event_id == END:
        return HttpResponse(status=204)
    try:
        place = Place.parse(last_event_id) if last_event_id else START
    except ValueError as error:
        raise BadEventId from error
    events = follow_answer(caller, answer.conversation_id, answer.pk, place)
    names = _named(answer.conversation_id, answer.reply_to_id, answer.pk)
    return _streamed(events, names, is_new=not last_event_id)


def _named(conversation_id: Any, question_id: Any, answer_id: Any) -> dict[str, str]:
    return {
        "conversation": str(conversation_id),
        "question": str(question_id or ""),
        "message": str(answer_id),
    }


def _streamed(events: Iterator[Any], names: dict[str, str], *, is_new: bool) -> StreamingHttpResponse:
    return as_stream(_lines(events, names, is_new=is_new))


def as_stream(lines: Iterator[bytes]) -> StreamingHttpResponse:
    """Lines as a response that nobody between keeps back."""
    response = StreamingHttpResponse(lines, content_type=EVENT_STREAM)
    response["Cache-Control"] = "no-cache"
    response["X-Accel-Buffering"] = "no"
    return response


def _lines(events: Iterator[Any], names: dict[str, str], *, is_new: bool) -> Iterator[bytes]:
    if is_new:
        yield event_line("message.started", names, START)
    try:
        for event in events:
            yield _line(event, names)
    except Message.DoesNotExist:
        yield event_line(
            "message.failed", {"code": "deleted", "detail": "The conversation is gone.", **names}, END
        )


def _line(event: Any, names: dict[str, str]) -> bytes:
    if isinstance(event, Delta):
        return event_line("message.delta", {"text": event.text}, event.place)
    if isinstance(event, Reset):
        return event_line("message.reset", {}, event.place)
    if isinstance(event, KeepAlive):
        return KEEP_ALIVE
    answer = event.answer
    if answer.status == MessageStatus.COMPLETED:
        return event_line("message.completed", shown(answer), END)
    if answer.status == MessageStatus.AWAITING_APPROVAL:
        return event_line("message.waiting", shown(answer), START)
    return event_line(
        "message.failed", {"code": answer.error_code, "detail": answer.error_message, **names}, END
    )


def event_line(name: str, data: Any, place: Any) -> bytes:
    """One server-sent event; `place` becomes its id."""
    return f"event: {name}\ndata: ".encode() + dumps(data) + f"\nid: {place}\n\n".encode()
