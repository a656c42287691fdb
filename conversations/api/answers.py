"""Answers of agents as HTTP: one JSON object, or a stream of server-sent events.

Events of a stream: `message.started` (ids of question and answer), `message.delta` (`text`),
`message.completed` (the whole answer), `message.waiting` (it waits for a person to allow a tool) or
`message.failed` (a problem). Source of the format: the HTML
standard, section 9.2.
"""

from collections.abc import Iterator
from typing import Any

from django.http import StreamingHttpResponse

from config.api.exceptions import Problem
from config.api.renderers import dumps
from config.api.serializers import reader
from conversations.api.serializers import MessageSerializer
from conversations.choices import MessageStatus
from conversations.models import Message
from conversations.runtime.streaming import Delta, Done, KeepAlive, TooManyStreams, stream_turn
from conversations.runtime.turns import Turn

EVENT_STREAM = "text/event-stream"
STATUSES = {
    "timeout": 504,
    "rate_limited": 503,
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
    response = StreamingHttpResponse(_lines(turn, events, question_id), content_type=EVENT_STREAM)
    response["Cache-Control"] = "no-cache"
    response["X-Accel-Buffering"] = "no"
    return response


def _lines(turn: Turn, events: Iterator[Any], question_id: Any) -> Iterator[bytes]:
    started = {
        "conversation": str(turn.conversation_id),
        "question": str(question_id),
        "message": str(turn.answer_id),
    }
    yield _event("message.started", started)
    for event in events:
        if isinstance(event, Delta):
            yield _event("message.delta", {"text": event.text})
        elif isinstance(event, KeepAlive):
            yield b": still at work\n\n"
        elif isinstance(event, Done):
            yield _last(event, started)


def _last(event: Done, started: dict[str, str]) -> bytes:
    answer = event.answer
    if answer is None:
        return _event(
            "message.failed", {"code": "internal", "detail": "The answer could not be stored.", **started}
        )
    if answer.status == MessageStatus.COMPLETED:
        return _event("message.completed", shown(answer))
    if answer.status == MessageStatus.AWAITING_APPROVAL:
        return _event("message.waiting", shown(answer))
    return _event("message.failed", {"code": answer.error_code, "detail": answer.error_message, **started})


def _event(name: str, data: Any) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + dumps(data) + b"\n\n"
