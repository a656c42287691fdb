"""No acknowledged write is lost when a process is killed under load."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from config.postgres import postmaster
from config.postgres.cluster import Cluster, destroy_cluster, run_sql
from config.testing.processes import (
    free_port,
    get_command_line,
    list_children,
    list_descendants,
    list_web_workers,
)
from config.testing.web_server import BASE_DIR

WRITERS, ROUNDS = 6, 3
WRITES_BEFORE_KILL, WRITES_AFTER_KILL = 40, 20
START_SECONDS, BACK_SECONDS, STOP_SECONDS = 240, 90, 20
API = "/api/v1/conversations/"
# The demo's key allows 600 requests a minute.
LIFT_LIMIT = (
    "BEGIN; SELECT set_config('app.actor', 'system:test', true);"
    " UPDATE accounts_apikey SET rate_limit = 1000000; COMMIT;"
)
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


class Installation:
    """`bin/run` on a temporary cluster, with the demo."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="conclave-crash-"))
        self.folder.chmod(0o755)
        self.cluster, self.port = Cluster(self.folder / "postgres"), free_port()
        self.log = self.folder / "up.log"

    def start(self):
        dropped = ("DJANGO_SETTINGS_MODULE", "CONCLAVE_NO_START", "CONCLAVE_LOGIN", "DATABASE_URL")
        inherited = {name: value for name, value in os.environ.items() if name not in dropped}
        own = {"CONCLAVE_VAR": str(self.folder), "CONCLAVE_DB": "conclave", "LOG_LEVEL": "ERROR"}
        command = [sys.executable, "-m", "config.postgres.launch", "--port", str(self.port)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                env={**inherited, **own},
                cwd=BASE_DIR,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait(lambda: "ready after" in self.log.read_text(), START_SECONDS)
        self.sql(LIFT_LIMIT)
        self.key = json.loads((self.folder / "demo.json").read_text())["api_key"]

    def wait(self, condition, seconds):
        end = time.monotonic() + seconds
        while not condition():
            said = self.log.read_text()[-3000:]
            assert self.process.poll() is None, said
            assert time.monotonic() < end, f"waited {seconds} s\n{said}"
            time.sleep(0.05)

    def sql(self, script):
        return run_sql(self.cluster, script, "conclave").split()

    def stop(self):
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        self.process.kill()
        self.process.wait()
        destroy_cluster(self.cluster)
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- what is killed ---------------------------------------------------------------------------------

    def web_server(self):
        return first(list_descendants(self.process.pid), b"config.serving")

    def web_worker(self):
        return list_web_workers(self.web_server())[0]

    def postmaster(self):
        return postmaster.find_postmaster(self.cluster.data)[0]

    def backend(self):
        return first(list_children(self.postmaster()), b"conclave_tenant")


def first(pids, word):
    """Return the first process whose command line contains `word`."""
    return next(pid for pid in pids if word in get_command_line(pid))


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
