"""granian servers as processes, and a client with a persistent connection."""

import contextlib
import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from config.testing.processes import free_port, list_web_workers, terminate_after

from .installation import BASE_DIR, House

READY_SECONDS = 90
# Sequential requests keep one thread busy; the product starts more on demand.
THREADS = "1"


@dataclass
class Server:
    """A running server on 127.0.0.1; `name` is also the application name of its database connections."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    client: http.client.HTTPConnection = field(repr=False)

    @property
    def workers(self) -> list[int]:
        """Return the processes that answer requests, without the parent and the multiprocessing tracker."""
        return list_web_workers(self.process.pid)

    def ask(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> tuple[int, bytes]:
        """Send a request and return its status and body."""
        self.client.request(method, path, body=body, headers=headers)
        answer = self.client.getresponse()
        return answer.status, answer.read()


@contextlib.contextmanager
def product(house: House, name: str = "product", **changes: str) -> Iterator[Server]:
    """Run the product's web server."""
    variables = house.environment(
        **{"PGAPPNAME": name, "WEB_WORKERS": "1", "WEB_THREADS": THREADS, "CONCLAVE_WARM_UP": "0"} | changes
    )
    with _running(name, ["config.serving"], variables) as server:
        yield server


@contextlib.contextmanager
def bare(house: House, connection: dict[str, Any], pepper: bytes, name: str = "bare") -> Iterator[Server]:
    """Run `benchmarks.baseline` on the same server with the same numbers of processes and threads."""
    fields = orjson.dumps(connection).decode()
    variables = house.environment(
        PGAPPNAME=name, BENCH_CONNECTION=fields, BENCH_PEPPER=pepper.decode(), WEB_THREADS=THREADS
    )
    with _running(name, ["benchmarks.serve_bare"], variables) as server:
        yield server


@contextlib.contextmanager
def _running(name: str, module: list[str], variables: dict[str, str]) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", *module]
    process = subprocess.Popen(
        command,
        env=variables | {"HOST": "127.0.0.1", "PORT": str(port)},
        cwd=BASE_DIR,
        stdout=subprocess.DEVNULL,
    )
    with terminate_after(process):
        _wait(port, process)
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        yield Server(name, port, process, client)
        client.close()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + READY_SECONDS
    while True:
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the server does not answer; its code is {process.poll()}")
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.1)


def repeated(
    server: Server, status: int, ask: Callable[[int], tuple[str, str, dict[str, str], bytes | None]]
) -> Any:
    """Return a function that sends `count` requests built by `ask(number)` and checks their `status`."""

    def run(count: int) -> None:
        for number in range(count):
            got, body = server.ask(*ask(number))
            if got != status:
                raise RuntimeError(f"{server.name}: {got} instead of {status}: {body[:300]!r}")

    return run
