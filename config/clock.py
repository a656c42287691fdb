"""The clock thread of a worker: calls the functions of the setting `WORKER_CLOCK` each second."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from django.conf import settings
from django.db import close_old_connections, connections
from django.utils.module_loading import import_string

INTERVAL_SECONDS = 1.0
logger = logging.getLogger(__name__)


@contextmanager
def run_clock() -> Iterator[None]:
    """Run the clock during the block."""
    functions = [import_string(path) for path in settings.WORKER_CLOCK]
    stopped = threading.Event()
    thread = threading.Thread(target=_run, args=(functions, stopped), name="clock", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(timeout=5)


def _run(functions: Sequence[Callable[[], None]], stopped: threading.Event) -> None:
    while not stopped.wait(INTERVAL_SECONDS):
        for function in functions:
            try:
                function()
            except Exception:
                # The next second tries again, such as after a restart of the database.
                logger.warning("The clock failed in %s", function.__qualname__, exc_info=True)
                close_old_connections()
    connections.close_all()
