"""Worker processes that tests kill, and readers of their streams."""

import subprocess
import sys
import threading
import time
from contextlib import contextmanager

from django.db import connection

from config.postgres.logins import WORKER
from config.testing.web_server import BASE_DIR, build_environment
from conversations import tasks
from conversations.runtime.stream_buffer import AnswerDelta, AnswerDone, AnswerReset


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


@contextmanager
def workers():
    """Yield a function that runs a worker, optionally killed at a point, and returns its exit code."""
    variables = build_environment(ANSWER_LEASE_SECONDS="2", CONCLAVE_LOGIN=WORKER)
    process = subprocess.Popen(
        [sys.executable, "-m", "config.testing.crash_worker"],
        env=variables,
        cwd=BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def run(point=""):
        process.stdin.write(point + "\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    try:
        assert process.stdout.readline() == "ready\n"
        yield run
    finally:
        process.stdin.close()
        process.wait(30)


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
        thread.join(60)
        return results[0]

    return wait


def resume_due(seconds=2.5):
    """Run the periodic job after the leases have expired."""
    time.sleep(seconds)
    tasks.resume_due_work.func.__wrapped__(0)
