"""Streams of answers: their places, and the threads that generate them."""

import contextvars
import threading
from collections.abc import Callable, Iterator
from uuid import UUID

from agents.runtime.concurrency import model_requests
from config.db.connections import release_connections
from config.observability import metrics
from config.serving.threads import inside_pool
from config.tenancy.concurrency import ConcurrencyLimit, Place

_streams = ConcurrencyLimit(
    "too_many_streams",
    "Too many answers are being streamed. Try again later, or send the request without streaming.",
    per_process="STREAMS_PER_PROCESS",
    per_tenant="STREAMS_PER_TENANT",
    per_reader="STREAMS_PER_READER",
    on_change=metrics.change_open_streams,
)


def acquire_place(tenant_id: UUID, *, is_streamed: bool) -> Place:
    """Return the place of an answer: of a stream, or of a request that waits for a model.

    A repeated request needs a place, too: its Idempotency-Key, which is read later, shows whether a model is asked.

    Raises:
        ConcurrencyLimitError: the tenant or the process has its maximum number of such answers.
    """
    return (_streams if is_streamed else model_requests).acquire(tenant_id)


class FollowedStream:
    """Events of an answer that a reader follows; holds a place until closed."""

    def __init__(self, events: Iterator[bytes], place: Place) -> None:
        self.events, self.place = events, place

    def __iter__(self) -> Iterator[bytes]:
        return self.events

    def close(self) -> None:
        """Free the place."""
        self.place.release()


def follow_stream(tenant_id: UUID, reader: tuple[object, UUID], events: Iterator[bytes]) -> FollowedStream:
    """Return `events` as a stream that counts towards the limits.

    Args:
        reader: who reads which answer.

    Raises:
        ConcurrencyLimitError: the reader, the tenant or the process has its maximum number of streams.
    """
    return FollowedStream(events, _streams.acquire(tenant_id, reader=reader))


def run_in_stream_thread(
    run: Callable[[], object], *, place: Place, name: str, at_end: Callable[[], object] | None = None
) -> None:
    """Call `run` in a new thread with this context.

    Releases its connections and its place at the end.

    Args:
        at_end: called after `run`, even if it raises, once the place is free.
    """

    def run_and_release() -> None:
        try:
            with inside_pool():
                run()
        finally:
            release_connections()
            place.release()
            if at_end:
                at_end()

    context = contextvars.copy_context()
    try:
        threading.Thread(target=context.run, args=(run_and_release,), daemon=True, name=name).start()
    except BaseException:
        place.release()
        raise
