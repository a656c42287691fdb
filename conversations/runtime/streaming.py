"""Answers as they come: the turn runs in a thread of its own and hands its pieces to whoever reads.

The reader may go away; the turn goes on and stores its outcome all the same.
"""

import contextvars
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from django.conf import settings
from django.db import connections

from conversations.models import Message
from conversations.runtime.loop import run_turn
from conversations.runtime.turns import Turn

KEEP_ALIVE_SECONDS = 15
_places = threading.BoundedSemaphore(settings.STREAMS_PER_PROCESS)


class TooManyStreams(RuntimeError):
    """This process streams as many answers as it may."""


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of text."""

    text: str


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Nothing came for a while."""


@dataclass(frozen=True, slots=True)
class Done:
    """The end: the stored answer, completed or failed; None when not even that could be stored."""

    answer: Message | None


Event = Delta | KeepAlive | Done


def stream_turn(turn: Turn) -> Iterator[Event]:
    """Run `turn` and yield what it says; the last event is `Done`.

    Raises:
        TooManyStreams: at once, when the process has no place for another.
    """
    if not _places.acquire(blocking=False):
        raise TooManyStreams
    queue: SimpleQueue[Event] = SimpleQueue()
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(_run, turn, queue), daemon=True, name="turn")
    try:
        thread.start()
    except BaseException:
        _places.release()
        raise
    return _read(queue)


def _run(turn: Turn, queue: "SimpleQueue[Any]") -> None:
    answer = None
    try:
        answer = run_turn(turn, lambda text: queue.put(Delta(text)))
    finally:
        connections.close_all()
        _places.release()
        queue.put(Done(answer))


def _read(queue: "SimpleQueue[Any]") -> Iterator[Event]:
    while True:
        try:
            event = queue.get(timeout=KEEP_ALIVE_SECONDS)
        except Empty:
            yield KeepAlive()
            continue
        yield event
        if isinstance(event, Done):
            return
