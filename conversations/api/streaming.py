"""Agent answers over HTTP: a JSON object or a stream of server-sent events.

Events of a stream: `message.started` (ids of question and answer), `message.delta` (`text`),
`message.reset` (discard the text received so far), `message.completed` (the complete answer), `message.waiting`
(a tool call needs approval; the text restarts when the answer resumes) or `message.failed` (a problem). The text
of the answer is the concatenation of all deltas since the last reset. Each event has an id. A client that sends
the last id as `Last-Event-ID` receives the events after it. Source of the format: the HTML standard, section 9.2.
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
# Id of the last event of a stream.
END = "end"
KEEP_ALIVE = b": keep-alive\n\n"
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
    """The answer failed; the problem names the stored question and the answer."""

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
    """The process streams its maximum number of answers."""

    status_code = 503
    default_detail = (
        "Too many answers are being streamed. Try again later, or send the request without streaming."
    )
    default_code = "too_many_streams"
    wait = 5


class InvalidEventIdError(Problem):
    """`Last-Event-ID` names an unknown event."""

    status_code = 400
    default_detail = "Last-Event-ID is not the id of an event of this stream."
    default_code = "bad_event_id"


def render_message(message: Message) -> dict[str, Any]:
    """Return the API representation of a message."""
    return cached_serializer(MessageSerializer).to_representation(message)


def require_completed(answer: Message, question_id: Any) -> Message:
    """Return `answer` if it is complete or waits for approval.

    Raises:
        AnswerFailedError: the answer failed.
    """
    if answer.status not in (MessageStatus.COMPLETED, MessageStatus.AWAITING_APPROVAL):
        raise AnswerFailedError(answer, question_id)
    return answer


def wants_stream(request: Any) -> bool:
    """Return whether the client accepts server-sent events."""
    return EVENT_STREAM in request.META.get("HTTP_ACCEPT", "")


def stream_answer(turn: Turn, question_id: Any) -> StreamingHttpResponse:
    """Stream the answer.

    Raises:
        BusyError: this process streams its maximum number of answers.
    """
    try:
        events = stream_turn(turn)
    except TooManyStreamsError as error:
        turn.fail("too_many_streams", BusyError.default_detail, [])
        raise BusyError from error
    return _stream_events(events, _build_ids(turn.conversation_id, question_id, turn.answer_id), is_new=True)


def stream_answers(begun: Sequence[BegunTurn], caller: Caller) -> StreamingHttpResponse:
    """Stream the answers of several agents in turn, each with separate events.

    Raises:
        BusyError: this process streams its maximum number of answers.
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
        yield event_line(
            "message.failed", {"code": "deleted", "detail": "The conversation was deleted."}, END
        )


def render_round(made: list[Message]) -> dict[str, Any]:
    """Return the last completed answer, with all answers in `answers`.

    Raises:
        AnswerFailedError: no answer is complete.
    """
    complete = [answer for answer in made if answer.status == MessageStatus.COMPLETED]
    if not complete:
        raise AnswerFailedError(made[-1], made[-1].reply_to_id)
    return render_message(complete[-1]) | {"answers": [render_message(answer) for answer in made]}


def stream_existing_answer(caller: Caller, answer: Message, last_event_id: str) -> HttpResponse:
    """Stream an answer from the event after `last_event_id`, or return 204 at its end.

    Raises:
        InvalidEventIdError: the id does not belong to the stream.
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
    """Return a streaming response that proxies do not buffer."""
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
            "message.failed", {"code": "deleted", "detail": "The conversation was deleted.", **names}, END
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
    """Encode one server-sent event with the id `place`."""
    return f"event: {name}\ndata: ".encode() + dumps(data) + f"\nid: {place}\n\n".encode()
