"""A complete Conclave on a temporary cluster, whose processes tests may kill (Linux only)."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

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

START_SECONDS, STOP_SECONDS = 240, 20
# The demo's key allows 600 requests a minute.
LIFT_LIMIT = (
    "BEGIN; SELECT set_config('app.actor', 'system:test', true);"
    " UPDATE accounts_apikey SET rate_limit = 1000000; COMMIT;"
)


class Installation:
    """`bin/run` on a temporary cluster, with the demo.

    Attributes:
        key: API key of the demo's administrator.
    """

    def __init__(self, **variables: str) -> None:
        """Prepare an installation with further environment variables."""
        self.folder = Path(tempfile.mkdtemp(prefix="conclave-crash-"))
        self.folder.chmod(0o755)
        self.cluster, self.port = Cluster(self.folder / "postgres"), free_port()
        self.log = self.folder / "up.log"
        dropped = ("DJANGO_SETTINGS_MODULE", "CONCLAVE_NO_START", "CONCLAVE_LOGIN", "DATABASE_URL")
        inherited = {name: value for name, value in os.environ.items() if name not in dropped}
        own = {"CONCLAVE_VAR": str(self.folder), "CONCLAVE_DB": "conclave", "LOG_LEVEL": "ERROR"}
        self.environment = {**inherited, **own, **variables}

    def start(self, seconds: float = START_SECONDS) -> None:
        """Start all parts and wait until they are ready."""
        command = [sys.executable, "-m", "config.postgres.launch", "--port", str(self.port)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, env=self.environment, cwd=BASE_DIR, stdout=log, stderr=log, start_new_session=True
            )
        self.wait(lambda: "ready after" in self.log.read_text(), seconds)
        self.sql(LIFT_LIMIT)
        self.key = json.loads((self.folder / "demo.json").read_text())["api_key"]

    def wait(self, condition: Callable[[], bool], seconds: float) -> None:
        """Wait for a condition."""
        end = time.monotonic() + seconds
        while not condition():
            said = self.log.read_text()[-3000:]
            assert self.process.poll() is None, said
            assert time.monotonic() < end, f"waited {seconds} s\n{said}"
            time.sleep(0.05)

    def sql(self, script: str) -> list[str]:
        """Run a script as superuser and return the words of its result."""
        return run_sql(self.cluster, script, "conclave").split()

    def stop(self) -> None:
        """Stop all parts and delete the cluster."""
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        self.process.kill()
        self.process.wait()
        destroy_cluster(self.cluster)
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- what is killed ---------------------------------------------------------------------------------

    def web_server(self) -> int:
        """Return the parent process of the web workers."""
        return first(list_descendants(self.process.pid), b"config.serving")

    def web_worker(self) -> int:
        """Return a process that answers requests."""
        return list_web_workers(self.web_server())[0]

    def postmaster(self) -> int:
        """Return the main process of the database server."""
        found = postmaster.find_postmaster(self.cluster.data)
        assert found is not None, "the database server does not run"
        return found[0]

    def backend(self) -> int:
        """Return a database process of the application."""
        return first(list_children(self.postmaster()), b"conclave_tenant")


def first(pids: list[int], word: bytes) -> int:
    """Return the first process whose command line contains `word`."""
    return next(pid for pid in pids if word in get_command_line(pid))
