"""Processes that tests of the engine kill, and the service that records what their steps did outside."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from config.postgres.binaries import EmbeddedError
from config.testing.processes import STOP_SECONDS, get_command_line, list_descendants
from config.testing.web_server import BASE_DIR

# What `retry_stalled_jobs` does half a minute after the last heartbeat.
SWEEP = "UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL WHERE status = 'doing'"
# The same after one lost heartbeat, so that a proof takes minutes. Live workers that are late are swept too.
SWEEP_EARLY = f"""{SWEEP} AND (worker_id IS NULL OR worker_id IN (
  SELECT id FROM procrastinate_workers WHERE last_heartbeat < now() - interval '12 seconds'));"""
SWEEP_SECONDS = 2.0
TERMINATE = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE usename IN ('conclave_tenant', 'conclave_web', 'conclave_worker') ORDER BY pid OFFSET {} LIMIT 1;"""


class EffectReceiver:
    """Context manager of an HTTP server that records the idempotency keys of each path.

    A first request with a key to a path that ends in `/flaky` is answered with 503. A request to a path that ends in
    `/deadly` kills the process that sent it.

    Attributes:
        keys: number of requests by path and key.
        find_senders: returns the processes that may have sent a request.
    """

    def __init__(self, port=0):
        self.keys, self.lock, self.find_senders = Counter(), threading.Lock(), list
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.receiver = self
        self.port = self._server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def record(self, path, key):
        """Record a request and return its number."""
        with self.lock:
            self.keys[path, key] += 1
            return self.keys[path, key]

    def list_keys(self):
        """Return the keys of each path."""
        found = {}
        for path, key in self.keys:
            found.setdefault(path, set()).add(key)
        return found


class _Server(ThreadingHTTPServer):
    daemon_threads, block_on_close = True, False

    def handle_error(self, *_):
        """Ignore connections of killed processes."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        receiver = self.server.receiver
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        number = receiver.record(self.path, self.headers.get("Idempotency-Key", ""))
        if self.path.endswith("/deadly") and (
            sender := find_sender(self.client_address[1], receiver.find_senders())
        ):
            os.kill(sender, signal.SIGKILL)
        with contextlib.suppress(OSError):
            self.send_response(503 if self.path.endswith("/flaky") and number == 1 else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *args):
        pass


def find_sender(port, pids):
    """Return the process among `pids` whose TCP connection has this port at its end."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{port:04X}")}
    for pid in pids:
        with contextlib.suppress(OSError):
            for entry in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(entry.readlink()) in sockets:
                        return pid
    return None


class WorkerPool:
    """Worker processes that are started again as soon as they end, beside the one of an installation."""

    def __init__(self, installation, number):
        self.installation, self.number = installation, number
        self.running, self.stopped = [], threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()
        for process in self.running:
            process.terminate()
        for process in self.running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            process.kill()
            process.wait()

    def list_pids(self):
        """Return all workers."""
        supervised = list_descendants(self.installation.process.pid)
        own = [process.pid for process in self.running if process.poll() is None]
        return own + [pid for pid in supervised if b"manage.py\0worker" in get_command_line(pid)]

    def _run(self):
        swept = 0.0
        variables = self.installation.environment | {"DJANGO_SETTINGS_MODULE": "config.settings.local"}
        command = [sys.executable, str(BASE_DIR / "manage.py"), "worker"]
        while not self.stopped.wait(0.2):
            alive = [process for process in self.running if process.poll() is None]
            missing = self.number - len(alive)
            self.running = alive + [
                subprocess.Popen(command, env=variables, cwd=BASE_DIR, stdout=subprocess.DEVNULL)
                for _ in range(missing)
            ]
            if time.monotonic() - swept > SWEEP_SECONDS:
                swept = time.monotonic()
                with contextlib.suppress(EmbeddedError):  # The database restarts.
                    self.installation.sql(SWEEP_EARLY)


class ApiClient:
    """Requests to the web server of an installation, which may be restarting."""

    def __init__(self, installation):
        self.installation = installation

    def send(self, method, path, body=None, **headers):
        """Return status and JSON of a response; status 0 if the server did not respond."""
        line = http.client.HTTPConnection("127.0.0.1", self.installation.port, timeout=30)
        headers = {
            "Authorization": f"Bearer {self.installation.key}",
            "Content-Type": "application/json",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        try:
            line.request(method, f"/api/v1/{path}", json.dumps(body) if body is not None else None, headers)
            response = line.getresponse()
            return response.status, json.loads(response.read() or "null")
        except (OSError, http.client.HTTPException, ValueError):
            return 0, None
        finally:
            line.close()

    def insist(self, path, body, **headers):
        """Repeat a POST request with an idempotency key until it succeeds, and return its JSON."""
        while True:
            status, answer = self.send("POST", path, body, **headers)
            if status in (200, 201, 202):
                return answer
            assert status in (0, 409) or status >= 500, (status, answer)
            time.sleep(0.5)


def strike(kind, installation, pool, dice):
    """Kill a random process of this kind, and return whether there was one."""
    try:
        if kind == "backend":
            return installation.sql(TERMINATE.format(dice.randrange(8))) == ["t"]
        if kind == "worker":
            pid = dice.choice(sorted(pool.list_pids()))
        elif kind == "web":
            pid = installation.web_worker()
        else:
            pid = installation.postmaster()
        os.kill(pid, signal.SIGKILL)
    except (AssertionError, EmbeddedError, IndexError, OSError, StopIteration):
        return False  # It is restarting.
    return True
