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
from config.api.serializers import cached_serializer
from conversations.api.serializers import MessageSerializer
from conversations.choices import MessageStatus
from conversations.models import Message
from conversations.runtime.turns import Caller, Turn
from conversations.services.conversations import BegunTurn
from conversations.services.leases import give_up
from conversations.streaming.answers import (
    STREAM_START,
    AnswerDelta,
    AnswerReset,
    KeepAlive,
    StreamPosition,
    TooManyStreamsError,
    follow_answer,
    stream_turn,
)
from conversations.streaming.multi_agent import stream_agents

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


class AnswerFailedError(Problem):
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


class BusyError(Problem):
    """Too many answers are being streamed."""

    status_code = 503
    default_detail = "Too many answers are being streamed now. Try again, or ask without streaming."
    default_code = "too_many_streams"
    wait = 5


class InvalidEventIdError(Problem):
    """The reader names an event that no stream has."""

    status_code = 400
    default_detail = "Last-Event-ID is not the id of an event of this stream."
    default_code = "bad_event_id"


def render_message(message: Message) -> dict[str, Any]:
    """A message as the API shows it."""
    return cached_serializer(MessageSerializer).to_representation(message)


def require_completed(answer: Message, question_id: Any) -> Message:
    """`answer` when it is complete, or waits for a person's decision.

    Raises:
        AnswerFailedError: when it is not.
    """
    if answer.status not in (MessageStatus.COMPLETED, MessageStatus.AWAITING_APPROVAL):
        raise AnswerFailedError(answer, question_id)
    return answer


def wants_stream(request: Any) -> bool:
    """Whether the client asks for server-sent events."""
    return EVENT_STREAM in request.META.get("HTTP_ACCEPT", "")


def stream_answer(turn: Turn, question_id: Any) -> StreamingHttpResponse:
    """The answer as it comes.

    Raises:
        Busy: when this process streams as many answers as it may.
    """
    try:
        events = stream_turn(turn)
    except TooManyStreamsError as error:
        turn.fail("too_many_streams", BusyError.default_detail, [])
        raise BusyError from error
    return _stream_events(events, _build_ids(turn.conversation_id, question_id, turn.answer_id), is_new=True)


def stream_answers(begun: Sequence[BegunTurn], caller: Caller) -> StreamingHttpResponse:
    """The answers of several agents as they come, one after the other, each with events of its own.

    Raises:
        Busy: when this process streams as many answers as it may.
    """
    try:
        events = stream_agents(begun, caller)
    except TooManyStreamsError as error:
        with caller.scope():
            for each in begun:
                give_up(each.lease, code="too_many_streams", reason=BusyError.default_detail)
        raise BusyError from error
    return build_event_stream(_round_lines(events))


def _round_lines(events: Iterator[Any]) -> Iterator[bytes]:
    speaking = None
    try:
        for begun, event in events:
            names = _build_ids(begun.conversation.pk, begun.question.pk, begun.answer.pk)
            if begun is not speaking:
                speaking = begun
                yield event_line("message.started", names, STREAM_START)
            yield _line(event, names)
    except Message.DoesNotExist:
        yield event_line("message.failed", {"code": "deleted", "detail": "The conversation is gone."}, END)


def render_round(made: list[Message]) -> dict[str, Any]:
    """The last answer that is complete, with all of them in `answers`.

    Raises:
        AnswerFailedError: when none is complete.
    """
    complete = [answer for answer in made if answer.status == MessageStatus.COMPLETED]
    if not complete:
        raise AnswerFailedError(made[-1], made[-1].reply_to_id)
    return render_message(complete[-1]) | {"answers": [render_message(answer) for answer in made]}


def stream_existing_answer(caller: Caller, answer: Message, last_event_id: str) -> HttpResponse:
    """The answer from the event after `last_event_id` on; 204 when there is no more.

    Raises:
        InvalidEventIdError: when no stream has such an id.
    """
    if last_event_id == END:
        return HttpResponse(status=204)
    try:
        place = StreamPosition.parse(last_event_id) if last_event_id else STREAM_START
    except ValueError as error:
        raise InvalidEventIdError from error
    events = follow_answer(caller, answer.conversation_id, answer.pk, place)
    names = _build_ids(answer.conversation_id, answer.reply_to_id, answer.pk)
    return _stream_events(events, names, is_new=not last_event_id)


def _build_ids(conversation_id: Any, question_id: Any, answer_id: Any) -> dict[str, str]:
    return {
        "conversation": str(conversation_id),
        "question": str(question_id or ""),
        "message": str(answer_id),
    }


def _stream_events(events: Iterator[Any], names: dict[str, str], *, is_new: bool) -> StreamingHttpResponse:
    return build_event_stream(_lines(events, names, is_new=is_new))


def build_event_stream(lines: Iterator[bytes]) -> StreamingHttpResponse:
    """Lines as a response that nobody between keeps back."""
    response = StreamingHttpResponse(lines, content_type=EVENT_STREAM)
    response["Cache-Control"] = "no-cache"
    response["X-Accel-Buffering"] = "no"
    return response


def _lines(events: Iterator[Any], names: dict[str, str], *, is_new: bool) -> Iterator[bytes]:
    if is_new:
        yield event_line("message.started", names, STREAM_START)
    try:
        for event in events:
            yield _line(event, names)
    except Message.DoesNotExist:
        yield event_line(
            "message.failed", {"code": "deleted", "detail": "The conversation is gone.", **names}, END
        )


def _line(event: Any, names: dict[str, str]) -> bytes:
    if isinstance(event, AnswerDelta):
        return event_line("message.delta", {"text": event.text}, event.place)
    if isinstance(event, AnswerReset):
        return event_line("message.reset", {}, event.place)
    if isinstance(event, KeepAlive):
        return KEEP_ALIVE
    answer = event.answer
    if answer.status == MessageStatus.COMPLETED:
        return event_line("message.completed", render_message(answer), END)
    if answer.status == MessageStatus.AWAITING_APPROVAL:
        return event_line("message.waiting", render_message(answer), STREAM_START)
    return event_line(
        "message.failed", {"code": answer.error_code, "detail": answer.error_message, **names}, END
    )


def event_line(name: str, data: Any, place: Any) -> bytes:
    """One server-sent event; `place` becomes its id."""
    return f"event: {name}\ndata: ".encode() + dumps(data) + f"\nid: {place}\n\n".encode()
