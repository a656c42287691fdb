"""Threads that generate streamed answers, limited per process."""

import contextvars
import threading
from collections.abc import Callable

from django.conf import settings

from config.observability import metrics
from conversations.runtime.connections import release_connections

_slots = threading.BoundedSemaphore(settings.STREAMS_PER_PROCESS)


class TooManyStreamsError(RuntimeError):
    """The process has reached `STREAMS_PER_PROCESS`; `code` and `message` are stored with the answer."""

    code = "too_many_streams"
    message = "Too many answers are being streamed. Try again later, or send the request without streaming."


def run_in_stream_thread(
    run: Callable[[], object], *, name: str, at_end: Callable[[], object] | None = None
) -> None:
    """Call `run` in a new thread with this context; release its connections at the end.

    Args:
        at_end: called after `run`, even if it raises, once the slot is free.

    Raises:
        TooManyStreamsError: the process has reached its limit of streams.
    """
    if not _slots.acquire(blocking=False):
        raise TooManyStreamsError
    metrics.change_open_streams(1)

    def run_and_release() -> None:
        try:
            run()
        finally:
            release_connections()
            _release_slot()
            if at_end:
                at_end()

    context = contextvars.copy_context()
    try:
        threading.Thread(target=context.run, args=(run_and_release,), daemon=True, name=name).start()
    except BaseException:
        _release_slot()
        raise


def _release_slot() -> None:
    _slots.release()
    metrics.change_open_streams(-1)
