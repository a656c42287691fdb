"""Streams answers to any number of readers; turns run in threads.

Readers may disconnect and reconnect; the turn continues and stores its outcome. Readers in the same process
receive text immediately. Readers in other processes poll the stored text, which lags by a tenth of a second.
"""

import contextvars
import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.conf import settings

from config.observability import metrics
from conversations.choices import MessageStatus
from conversations.models import Message
from conversations.runtime.connections import give_back
from conversations.runtime.keeper import keeper
from conversations.runtime.live import START, Delta, Done, Event, KeepAlive, Live, Place, Reset, news
from conversations.runtime.loop import run_turn
from conversations.runtime.resuming import resume_later
from conversations.runtime.turns import Caller, Turn
from conversations.services.leases import is_due
from conversations.services.steps import pieces_after

__all__ = [
    "START",
    "Delta",
    "Done",
    "Event",
    "KeepAlive",
    "Place",
    "Reset",
    "TooManyStreams",
    "follow_answer",
    "leave_place",
    "stream_turn",
    "take_place",
]
KEEP_ALIVE_SECONDS = 15
# Polling intervals of the database, in seconds: short after new text, with backoff while there is none.
SHORTEST_POLL, LONGEST_POLL = 0.1, 1.0
_places = threading.BoundedSemaphore(settings.STREAMS_PER_PROCESS)


class TooManyStreams(RuntimeError):
    """The process has reached `STREAMS_PER_PROCESS`."""


def take_place() -> None:
    """Reserve a stream slot of this process.

    Raises:
        TooManyStreams: no slot is free.
    """
    if not _places.acquire(blocking=False):
        raise TooManyStreams
    metrics.streams_changed(1)


def leave_place() -> None:
    """Release a stream slot."""
    _places.release()
    metrics.streams_changed(-1)


def stream_turn(turn: Turn) -> Iterator[Event]:
    """Run `turn` in a thread and stream its events, ending with `Done`.

    Raises:
        TooManyStreams: the process has reached its limit of streams; raised before the first event.
    """
    take_place()
    turn.show()
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(_run, turn), daemon=True, name="turn")
    try:
        thread.start()
    except BaseException:
        leave_place()
        raise
    return _followed(turn.caller, Stored(turn.caller, turn.conversation_id, turn.answer_id), START, turn.live)


def _run(turn: Turn) -> None:
    turn.between = give_back
    try:
        run_turn(turn)
    finally:
        give_back()
        leave_place()
        turn.live.end(turn.live.answer)


def follow_answer(
    caller: Caller, conversation_id: UUID, answer_id: UUID, after: Place = START
) -> Iterator[Event]:
    """Stream an answer of any process after a position.

    Needs no open scope.

    Raises:
        Message.DoesNotExist: the answer was deleted while it was followed.
    """
    return _followed(caller, Stored(caller, conversation_id, answer_id), after, keeper.live(answer_id))


def _followed(caller: Caller, stored: "Stored", after: Place, live: Live | None) -> Iterator[Event]:
    give_back()
    told, pause = time.monotonic(), SHORTEST_POLL
    while True:
        if live:
            events, answer = _live_news(live, after)
        else:
            events, answer = stored.read(after)
        for event in events:
            after, told, pause = event.place, time.monotonic(), SHORTEST_POLL
            yield event
        if answer is not None:
            yield Done(answer)
            return
        if time.monotonic() - told >= KEEP_ALIVE_SECONDS:
            told = time.monotonic()
            yield KeepAlive()
        if not live:
            time.sleep(pause)
            pause = min(LONGEST_POLL, pause * 1.5)
        if live is None or live.is_abandoned:
            live = keeper.live(stored.answer_id)


def _live_news(live: Live, after: Place) -> tuple[list[Any], Message | None]:
    events, ended = live.read(after, KEEP_ALIVE_SECONDS)
    return events, live.answer if ended else None


class Stored:
    """Reads an answer from the database; each read opens a short scope."""

    def __init__(self, caller: Caller, conversation_id: UUID, answer_id: UUID) -> None:
        self.caller, self.conversation_id, self.answer_id = caller, conversation_id, answer_id
        self._sequence = self._generation = 0
        self._text = ""

    def read(self, after: Place) -> tuple[list[Any], Message | None]:
        """Return the events after the position, and the answer once it has ended."""
        try:
            with self.caller.scope():
                answer = Message.objects.younger_than(self.conversation_id).get(pk=self.answer_id)
                self._extend()
                pending = answer.status == MessageStatus.PENDING
                if pending and is_due(self.answer_id):
                    resume_later(self.caller.tenant_id, self.answer_id)
        finally:
            give_back()
        if not pending:
            return news(after, self._generation, answer.content), answer
        # A reader that followed the writing process may be ahead of the stored text.
        here = Place(self._generation, len(self._text))
        return (news(after, self._generation, self._text) if self._text and here > after else []), None

    def _extend(self) -> None:
        for sequence, message in pieces_after(self.answer_id, self._sequence):
            self._sequence = sequence
            generation = message["metadata"]["generation"]
            if generation > self._generation:
                self._generation, self._text = generation, ""
            if generation == self._generation:
                self._text = self._text[: message["metadata"]["offset"]] + message["content"]
