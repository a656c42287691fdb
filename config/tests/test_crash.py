"""No acknowledged write is lost when a process is killed under load."""

import http.client
import json
import os
import signal
import sys
import threading
import time

import pytest

from config.testing.installation import Installation

WRITERS, ROUNDS = 6, 3
WRITES_BEFORE_KILL, WRITES_AFTER_KILL = 40, 20
BACK_SECONDS = 90
API = "/api/v1/conversations/"
KEPT = "SELECT id FROM conversations_message UNION ALL SELECT id FROM conversations_conversation;"
ACKNOWLEDGE_TOO_EARLY = """
ALTER SYSTEM SET synchronous_commit = off;
ALTER SYSTEM SET wal_writer_delay = '10s';
SELECT pg_reload_conf();
"""
INCONSISTENT = (
    "SELECT count(*) FROM conversations_conversation c WHERE message_count <>"
    " (SELECT count(DISTINCT sequence_number) FROM conversations_message m WHERE m.conversation_id = c.id);"
)


class Load:
    """Threads that write messages and record the acknowledged ones."""

    def __init__(self, installation):
        self.installation, self.acknowledged, self.refused = installation, [], 0
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self._write) for _ in range(WRITERS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def _post(self, line, path, body):
        """Return the new id; empty if the conversation is gone, None to retry."""
        headers = {"Authorization": f"Bearer {self.installation.key}", "Content-Type": "application/json"}
        try:
            line.request("POST", path, json.dumps(body), headers)
            answer = line.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            line.close()
            answer = None
        if answer is not None and answer.status == 201:
            identifier = json.loads(text)["id"]
            self.acknowledged.append(identifier)
            return identifier
        self.refused += 1
        time.sleep(0.2)
        return "" if answer is not None and answer.status == 404 else None

    def _write(self):
        line = http.client.HTTPConnection("127.0.0.1", self.installation.port, timeout=30)
        conversation = ""
        while not self.stopped.is_set():
            if not conversation:
                conversation = self._post(line, API, {"agent": "guide"})
                continue
            body = {"content": f"Note {len(self.acknowledged)}", "answer": False}
            if self._post(line, f"{API}{conversation}/messages/", body) == "":
                conversation = ""

    def more(self, count):
        """Return a condition: `count` further writes were acknowledged."""
        wanted = len(self.acknowledged) + count
        return lambda: len(self.acknowledged) >= wanted


@pytest.fixture(scope="module")
def installation():
    made = Installation()
    try:
        made.start()
        yield made
    finally:
        made.stop()


def strike(installation, load, kind):
    """Kill a process under load; return the seconds until writes succeed again."""
    installation.wait(load.more(WRITES_BEFORE_KILL), BACK_SECONDS)
    os.kill(getattr(installation, kind)(), signal.SIGKILL)
    began = time.monotonic()
    time.sleep(0.3)  # answers that were under way
    installation.wait(load.more(WRITES_AFTER_KILL), BACK_SECONDS)
    return time.monotonic() - began


@pytest.mark.slow
@pytest.mark.unmeasured
@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
def test_no_acknowledged_write_is_lost(installation):
    report = []
    with Load(installation) as load:
        for number in range(ROUNDS):
            for kind in ("web_server" if number % 2 else "web_worker", "backend", "postmaster"):
                before = len(load.acknowledged)
                seconds = strike(installation, load, kind)
                report.append((number + 1, kind, f"{seconds:.1f} s", set(load.acknowledged[before:])))
    kept = set(installation.sql(KEPT))
    lines = [
        f"round {number}, {kind}: {len(written)} acknowledged, {len(written - kept)} lost, back after {seconds}"
        for number, kind, seconds, written in report
    ]
    print("\n".join(lines), f"\n{load.refused} requests not acknowledged")
    assert len(set(load.acknowledged)) == len(load.acknowledged) > ROUNDS * 3 * WRITES_BEFORE_KILL
    assert set(load.acknowledged) <= kept, lines
    assert load.refused > ROUNDS, lines
    assert installation.sql(INCONSISTENT) == ["0"]


@pytest.mark.slow
@pytest.mark.unmeasured
@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
def test_a_server_that_acknowledges_too_early_loses_writes(installation):
    installation.sql(ACKNOWLEDGE_TOO_EARLY)
    with Load(installation) as load:
        for _ in range(3):
            strike(installation, load, "backend")
    lost = set(load.acknowledged) - set(installation.sql(KEPT))
    print(f"{len(load.acknowledged)} acknowledged, {len(lost)} lost")
    assert lost
