"""Streams answers to any number of readers; turns run in threads.

Readers may disconnect and reconnect; the turn continues and stores its outcome. Readers in the same process
receive text immediately. Readers in other processes poll the stored text, which lags by a tenth of a second.
"""

import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from config.db.connections import release_connections
from config.tenancy.concurrency import Place
from conversations.choices import MessageStatus
from conversations.models import Message
from conversations.runtime.lease_renewal import lease_renewer
from conversations.runtime.loop import run_turn
from conversations.runtime.recovery import defer_resume
from conversations.runtime.stream_buffer import (
    STREAM_START,
    AnswerDone,
    AnswerEvent,
    KeepAlive,
    StreamBuffer,
    StreamPosition,
    events_since,
)
from conversations.runtime.turns import Caller, TurnContext, with_stream_buffer
from conversations.services.leases import is_due
from conversations.services.steps import list_text_chunks
from conversations.streaming.threads import run_in_stream_thread

# Also the maximum time until a disconnected reader is noticed.
KEEP_ALIVE_SECONDS = 5
# Polling intervals of the database, in seconds: short after new text, with backoff while there is none.
MIN_POLL_SECONDS, MAX_POLL_SECONDS = 0.1, 1.0


def stream_turn(turn: TurnContext, place: Place) -> Iterator[AnswerEvent]:
    """Run `turn` in a thread and stream its events, ending with `AnswerDone`.

    Args:
        place: the place of the stream, released when the turn ends.
    """
    shown = with_stream_buffer(turn)
    live: Any = shown.live
    run_in_stream_thread(
        lambda: run_turn(shown), place=place, name="turn", at_end=lambda: live.end(live.answer)
    )
    return _follow(
        turn.caller,
        StoredAnswerReader(turn.caller, turn.conversation_id, turn.answer_id),
        STREAM_START,
        shown.live,
    )


def follow_answer(
    caller: Caller, conversation_id: UUID, answer_id: UUID, after: StreamPosition = STREAM_START
) -> Iterator[AnswerEvent]:
    """Stream an answer of any process after a position.

    Needs no open scope.

    Raises:
        Message.DoesNotExist: the answer was deleted while it was followed.
    """
    return _follow(
        caller,
        StoredAnswerReader(caller, conversation_id, answer_id),
        after,
        lease_renewer.get_buffer(answer_id),
    )


def _follow(
    caller: Caller, stored: "StoredAnswerReader", after: StreamPosition, live: StreamBuffer | None
) -> Iterator[AnswerEvent]:
    release_connections()
    last_event_at, pause = time.monotonic(), MIN_POLL_SECONDS
    while True:
        if live:
            events, ended = live.read(after, KEEP_ALIVE_SECONDS)
            answer = live.answer if ended else None
        else:
            events, answer = stored.read(after)
        for event in events:
            after, last_event_at, pause = event.place, time.monotonic(), MIN_POLL_SECONDS
            yield event
        if answer is not None:
            yield AnswerDone(answer)
            return
        if time.monotonic() - last_event_at >= KEEP_ALIVE_SECONDS:
            last_event_at = time.monotonic()
            yield KeepAlive()
        if not live:
            time.sleep(pause)
            pause = min(MAX_POLL_SECONDS, pause * 1.5)
        if live is None or live.is_abandoned:
            live = lease_renewer.get_buffer(stored.answer_id)


class StoredAnswerReader:
    """Reads an answer from the database; each read opens a short scope."""

    def __init__(self, caller: Caller, conversation_id: UUID, answer_id: UUID) -> None:
        self.caller, self.conversation_id, self.answer_id = caller, conversation_id, answer_id
        self._sequence = self._generation = 0
        self._text = ""

    def read(self, after: StreamPosition) -> tuple[list[Any], Message | None]:
        """Return the events after the position, and the answer once it has ended."""
        try:
            with self.caller.scope():
                answer = Message.objects.created_after_id(self.conversation_id).get(pk=self.answer_id)
                self._extend()
                pending = answer.status == MessageStatus.PENDING
                if pending and is_due(self.answer_id):
                    defer_resume(self.caller.tenant_id, self.answer_id)
        finally:
            release_connections()
        if not pending:
            return events_since(after, self._generation, answer.content), answer
        # A reader that followed the writing process may be ahead of the stored text.
        here = StreamPosition(self._generation, len(self._text))
        return (
            events_since(after, self._generation, self._text) if self._text and here > after else []
        ), None

    def _extend(self) -> None:
        for sequence, message in list_text_chunks(self.answer_id, self._sequence):
            self._sequence = sequence
            generation = message["metadata"]["generation"]
            if generation > self._generation:
                self._generation, self._text = generation, ""
            if generation == self._generation:
                self._text = self._text[: message["metadata"]["offset"]] + message["content"]
