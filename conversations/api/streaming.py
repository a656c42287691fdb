"""Agent answers over HTTP: a JSON object or a stream of server-sent events.

Events of a stream: `message.started` (ids of question and answer), `message.delta` (`text`),
`message.reset` (discard the text received so far), `message.completed` (the complete answer), `message.waiting`
(a tool call needs approval; the text restarts when the answer resumes) or `message.failed` (a problem). The text
of the answer is the concatenation of all deltas since the last reset. Each event has an id. A client that sends
the last id as `Last-Event-ID` receives the events after it. Source of the format: the HTML standard, section 9.2.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

from django.http import Http404, HttpResponse, StreamingHttpResponse

from config.api.exceptions import Problem
from config.api.renderers import dumps
from config.api.serializers import cached_serializer
from conversations.answers import AnswerEvents
from conversations.api.serializers import MessageSerializer
from conversations.choices import MessageStatus
from conversations.models import Message
from conversations.runtime.stream_buffer import (
    STREAM_START,
    AnswerDelta,
    AnswerEvent,
    AnswerReset,
    KeepAlive,
    StreamPosition,
)
from conversations.runtime.turns import Caller
from conversations.streaming.answers import follow_answer
from conversations.streaming.threads import follow_stream

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

    def __init__(self, answer: Message) -> None:
        super().__init__(
            answer.error_message,
            answer.error_code,
            conversation=str(answer.conversation_id),
            question=str(answer.reply_to_id),
            message=str(answer.pk),
        )
        self.status_code = STATUSES.get(answer.error_code, 502)
        if self.status_code == 503:
            self.wait = 10


class InvalidEventIdError(Problem):
    """`Last-Event-ID` names an unknown event."""

    status_code = 400
    default_detail = "Last-Event-ID is not the id of an event of this stream."
    default_code = "bad_event_id"


@contextmanager
def answer_errors() -> Iterator[None]:
    """Convert errors of running answers to API errors.

    Raises:
        Http404: the conversation was deleted in the meantime.
    """
    try:
        yield
    except Message.DoesNotExist:
        raise Http404 from None


def render_message(message: Message) -> dict[str, Any]:
    """Return the API representation of a message."""
    return cached_serializer(MessageSerializer).to_representation(message)


def require_completed(answer: Message) -> Message:
    """Return `answer` if it is complete or waits for approval.

    Raises:
        AnswerFailedError: the answer failed.
    """
    if answer.status not in (MessageStatus.COMPLETED, MessageStatus.AWAITING_APPROVAL):
        raise AnswerFailedError(answer)
    return answer


def render_answers(answers: list[Message]) -> dict[str, Any]:
    """Return the answer; of several answers, the last completed one with all of them in `answers`.

    Raises:
        AnswerFailedError: no answer is complete.
    """
    if len(answers) == 1:
        return render_message(require_completed(answers[0]))
    complete = [answer for answer in answers if answer.status == MessageStatus.COMPLETED]
    if not complete:
        raise AnswerFailedError(answers[-1])
    return render_message(complete[-1]) | {"answers": [render_message(answer) for answer in answers]}


def wants_stream(request: Any) -> bool:
    """Return whether the client accepts server-sent events."""
    return EVENT_STREAM in request.META.get("HTTP_ACCEPT", "")


def stream_answers(events: AnswerEvents, ids: dict[str, str] | None = None) -> StreamingHttpResponse:
    """Stream the events of running answers.

    Args:
        ids: names the answer if it is deleted before its first event.
    """
    return build_event_stream(_encode_events(events, ids or {}))


def stream_existing_answer(caller: Caller, answer: Message, last_event_id: str) -> HttpResponse:
    """Stream an answer from the event after `last_event_id`, or return 204 at its end.

    Raises:
        InvalidEventIdError: the id does not belong to the stream.
        ConcurrencyLimitError: the reader, the tenant or the process has its maximum number of streams.
    """
    if last_event_id == END:
        return HttpResponse(status=204)
    try:
        place = StreamPosition.parse(last_event_id) if last_event_id else STREAM_START
    except ValueError as error:
        raise InvalidEventIdError from error
    events: Iterator[AnswerEvent | None] = follow_answer(caller, answer.conversation_id, answer.pk, place)
    if not last_event_id:
        events = chain([None], events)
    lines = _encode_events(((answer, event) for event in events), _build_ids(answer))
    return build_event_stream(
        follow_stream(caller.tenant_id, (caller.user_id or caller.actor, answer.pk), lines)
    )


def _build_ids(answer: Message) -> dict[str, str]:
    return {
        "conversation": str(answer.conversation_id),
        "question": str(answer.reply_to_id or ""),
        "message": str(answer.pk),
    }


def build_event_stream(lines: Iterable[bytes]) -> StreamingHttpResponse:
    """Return a streaming response that proxies do not buffer."""
    response = StreamingHttpResponse(lines, content_type=EVENT_STREAM)
    response["Cache-Control"] = "no-cache"
    response["X-Accel-Buffering"] = "no"
    return response


def _encode_events(events: AnswerEvents, ids: dict[str, str]) -> Iterator[bytes]:
    try:
        for answer, event in events:
            ids = _build_ids(answer)
            yield _encode_event(event, ids)
    except Message.DoesNotExist:
        yield event_line(
            "message.failed", {"code": "deleted", "detail": "The conversation was deleted.", **ids}, END
        )


def _encode_event(event: AnswerEvent | None, ids: dict[str, str]) -> bytes:
    if event is None:
        return event_line("message.started", ids, STREAM_START)
    if isinstance(event, AnswerDelta):
        return event_line("message.delta", {"text": event.text}, event.place)
    if isinstance(event, AnswerReset):
        return event_line("message.reset", {}, event.place)
    if isinstance(event, KeepAlive):
        return KEEP_ALIVE
    answer: Any = event.answer
    if answer.status == MessageStatus.COMPLETED:
        return event_line("message.completed", render_message(answer), END)
    if answer.status == MessageStatus.AWAITING_APPROVAL:
        return event_line("message.waiting", render_message(answer), STREAM_START)
    return event_line(
        "message.failed", {"code": answer.error_code, "detail": answer.error_message, **ids}, END
    )


def event_line(name: str, data: Any, place: Any) -> bytes:
    """Encode one server-sent event with the id `place`."""
    return f"event: {name}\ndata: ".encode() + dumps(data) + f"\nid: {place}\n\n".encode()
