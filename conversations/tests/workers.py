"""Worker processes that tests kill, and readers of their streams."""

import threading

from django.db import connection
from django.db.models.functions import Now

from conversations import tasks
from conversations.models import AnswerLease
from conversations.runtime.stream_buffer import AnswerDelta, AnswerDone, AnswerReset
from knowledge.tests.crashes import crash_workers
from knowledge.tests.waiting import PATIENCE, wait_until


def read_answer(events):
    """Return the text received by a reader and the stored answer."""
    text = ""
    for event in events:
        if isinstance(event, AnswerDelta):
            text += event.text
        elif isinstance(event, AnswerReset):
            text = ""
        elif isinstance(event, AnswerDone):
            return text, event.answer
    raise AssertionError("the stream did not end")


def workers():
    """Yield a function that runs a worker, optionally killed at a point, and returns its exit code."""
    return crash_workers("pydantic_ai.models.openai", ANSWER_LEASE_SECONDS="2")


def in_background(function):
    """Run `function` in a thread; return a function that waits for its result."""
    results = []

    def body():
        try:
            results.append(function())
        finally:
            connection.close()

    thread = threading.Thread(target=body)
    thread.start()

    def wait():
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the thread is still running"
        return results[0]

    return wait


def resume_due(caller, *, expire=True):
    """Run the periodic job after the leases of the tenant have expired.

    Args:
        expire: False waits until they expire by the clock of the database.
    """
    if expire:
        with caller.scope():
            AnswerLease.objects.update(lease_until=Now())
    wait_until(lambda: not held_leases(caller), progress=lambda: held_leases(caller))
    tasks.resume_due_work.func.__wrapped__(0)


def expire_lease(lease):
    """Let any process take over immediately."""
    AnswerLease.objects.filter(token=lease.token).update(lease_until=Now())


def held_leases(caller):
    """Return the end of each lease of the tenant that has not expired."""
    with caller.scope():
        return list(AnswerLease.objects.filter(lease_until__gt=Now()).values_list("lease_until", flat=True))
