"""Run the web server as a subprocess on the test database."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from django.db import connection

from config.postgres.logins import OWNER, WEB
from config.testing.database import connection_parameters
from config.testing.processes import free_port, list_web_workers, terminate_after

BASE_DIR = Path(__file__).resolve().parent.parent.parent
READY_SECONDS = 60


def build_environment(**changes: str) -> dict[str, str]:
    """Return environment variables that connect a program to the test database."""
    own = {
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "CONCLAVE_DB": connection.settings_dict["NAME"],
        "CONCLAVE_NO_START": "1",
        "LOG_LEVEL": "WARNING",
    }
    if os.environ.get("DATABASE_URL"):
        own["DATABASE_URL"] = database_url(connection_parameters(WEB))
        own["DATABASE_OWNER_URL"] = database_url(connection_parameters(OWNER))
    inherited = {name: value for name, value in os.environ.items() if name != "CONCLAVE_LOGIN"}
    return {**inherited, **own, **changes}


def database_url(fields: dict[str, Any]) -> str:
    """Return psycopg's connection arguments as a URL; `host` may be a socket folder."""
    who = f"{fields['user']}:{quote(fields['password'], safe='')}"
    host, port, name = fields["host"], fields["port"], fields["dbname"]
    if host.startswith("/"):
        return f"postgres://{who}@/{quote(f'{host}/{name}', safe='')}?port={port}"
    return f"postgres://{who}@{host}:{port}/{name}"


def is_responding(url: str, seconds: float = 5) -> bool:
    """Return whether `url` responds with 200."""
    try:
        with urllib.request.urlopen(url, timeout=seconds) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@dataclass(frozen=True)
class WebServer:
    """A running web server: `port` on 127.0.0.1 and the parent process of its workers."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def kill_worker(self) -> None:
        """Kill the worker processes with SIGKILL; the server starts new ones (Linux only)."""
        for pid in list_web_workers(self.process.pid):
            os.kill(pid, signal.SIGKILL)


def wait_until_responding(url: str, process: subprocess.Popen[bytes], seconds: float = READY_SECONDS) -> None:
    """Wait until `url` responds with 200.

    Raises:
        RuntimeError: if the process ends or the time runs out.
    """
    end = time.monotonic() + seconds
    while not is_responding(url):
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"{url} does not respond; exit code of the process: {process.poll()}")
        time.sleep(0.1)


@contextlib.contextmanager
def run_web_server(
    log: IO[bytes] | int = subprocess.DEVNULL, module: str = "config.serving", **changes: str
) -> Iterator[WebServer]:
    """Run the web server with one worker on the test database.

    `changes` are further environment variables.
    """
    port = free_port()
    variables = build_environment(**{"WEB_WORKERS": "1", "HOST": "127.0.0.1", "PORT": str(port)} | changes)
    command = [sys.executable, "-m", module]
    process = subprocess.Popen(command, env=variables, cwd=BASE_DIR, stdout=log, stderr=log)
    with terminate_after(process):
        wait_until_responding(f"http://127.0.0.1:{port}/readyz", process)
        yield WebServer(port, process)
