"""Waiting for runs, and following their events."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

from config.db.connections import release_connections
from workflows.choices import ENDED_RUNS
from workflows.models import WorkflowEvent, WorkflowExecution

PAGE_SIZE = 200
# Also the maximum time until a disconnected reader is noticed.
KEEP_ALIVE_SECONDS = 5.0
# Polling intervals of the database, in seconds, with backoff while nothing happens.
MIN_POLL_SECONDS, MAX_POLL_SECONDS = 0.1, 2.0
OpenScope = Callable[[], AbstractContextManager[Any]]


def wait_for_run(scope: OpenScope, execution_id: UUID, seconds: float) -> WorkflowExecution:
    """Return the run when it has ended, or its state after `seconds`.

    Args:
        scope: opens a short transaction for each look at the run.

    Raises:
        WorkflowExecution.DoesNotExist: the run was deleted.
    """
    end, pause = time.monotonic() + seconds, MIN_POLL_SECONDS
    while True:
        with scope():
            run = WorkflowExecution.objects.get(pk=execution_id)
        left = end - time.monotonic()
        if run.status in ENDED_RUNS or left <= 0:
            return run
        release_connections()
        time.sleep(min(pause, left))
        pause = min(MAX_POLL_SECONDS, pause * 1.5)


def list_events(execution_id: UUID, after: int, limit: int = PAGE_SIZE) -> list[WorkflowEvent]:
    """Return the events of a run after a sequence number, oldest first."""
    events = WorkflowEvent.objects.filter(execution_id=execution_id, sequence_number__gt=after)
    return list(events.order_by("sequence_number")[:limit])


def follow_events(scope: OpenScope, execution_id: UUID, after: int) -> Iterator[WorkflowEvent | None]:
    """Yield the events of a run after a sequence number until it has ended; None keeps the connection alive.

    Args:
        scope: opens a short transaction for each page.
    """
    pause, last_yield = MIN_POLL_SECONDS, time.monotonic()
    while True:
        with scope():
            # The status first: the events of a run that has ended are complete.
            runs = WorkflowExecution.objects.filter(pk=execution_id)
            status = runs.values_list("status", flat=True).first()
            events = list_events(execution_id, after)
        release_connections()
        for event in events:
            after = event.sequence_number
            yield event
        if len(events) == PAGE_SIZE:
            continue
        if status is None or status in ENDED_RUNS:
            return
        if events:
            pause, last_yield = MIN_POLL_SECONDS, time.monotonic()
        elif time.monotonic() - last_yield >= KEEP_ALIVE_SECONDS:
            last_yield = time.monotonic()
            yield None
        time.sleep(pause)
        pause = min(MAX_POLL_SECONDS, pause * 1.5)
