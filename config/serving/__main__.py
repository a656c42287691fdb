"""Start granian with the ASGI application, by `python -m config.serving`.

Environment variables: HOST, PORT, WEB_WORKERS, WEB_THREADS, DATABASE_POOL. The parent process only supervises its
workers and does not load Django. On SIGHUP it replaces them one after the other.
"""

import multiprocessing
import os
import resource
import shutil
import sys
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from config.postgres.supervisor import die_with_parent

# Maximum database connections per worker.
MAX_CONNECTIONS = 24
BACKLOG = 1024
SWITCH_SECONDS = 0.001
# Open files that a worker may have; half of them are connections of clients.
OPEN_FILES = 8192
# Maximum size of the head of a request that the server reads before it answers 431.
MAX_BUFFER_BYTES = 64 * 1024


def load_application(target: str, *, ready: Connection) -> Any:
    """Load the ASGI application in a worker and report to `ready`.

    Sends its process id. The worker ends with its parent.
    """
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:
        die_with_parent(parent.pid)
    from config.asgi import application

    # Many threads share the interpreter: one that has waited for the database gets it back sooner.
    sys.setswitchinterval(SWITCH_SECONDS)
    ready.send(os.getpid())
    return application


def _metrics_folder() -> str:
    """Create an empty directory for the workers' Prometheus counters."""
    var = os.environ.get("CONCLAVE_VAR") or Path(__file__).resolve().parent.parent.parent / "var"
    folder = Path(var) / "metrics" / (os.environ.get("PORT") or "8000")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return str(folder)


def _raise_file_limit() -> int:
    """Raise the limit of open files and return the connections per worker."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard > soft:
        soft = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, max(soft, OPEN_FILES))
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(128, soft // 2)


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    from granian.constants import Interfaces
    from granian.http import HTTP1Settings, HTTP2Settings
    from granian.log import LogLevels

    from config.serving.workers import ReloadingServer

    os.environ.setdefault("DATABASE_POOL", str(MAX_CONNECTIONS))
    if os.environ.get("METRICS_TOKEN"):
        os.environ.update(PROMETHEUS_MULTIPROC_DIR=_metrics_folder())
    server = ReloadingServer(
        "config.asgi:application",
        address=os.environ.get("HOST") or "127.0.0.1",
        port=int(os.environ.get("PORT") or 8000),
        interface=Interfaces.ASGINL,
        workers=int(os.environ.get("WEB_WORKERS") or 2),
        websockets=False,
        backlog=BACKLOG,
        backpressure=_raise_file_limit(),
        http1_settings=HTTP1Settings(max_buffer_size=MAX_BUFFER_BYTES),
        http2_settings=HTTP2Settings(max_headers_size=MAX_BUFFER_BYTES, max_concurrent_streams=100),
        respawn_failed_workers=True,
        respawn_interval=0.5,
        workers_kill_timeout=5,
        log_level=LogLevels.error,
    )
    server.serve(target_loader=partial(load_application, ready=server.ready))


if __name__ == "__main__":
    main()
