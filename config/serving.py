"""Web server: granian serving `config.wsgi`, started by `python -m config.serving`.

Environment variables: HOST, PORT, WEB_WORKERS, WEB_THREADS, DATABASE_POOL. The parent process only supervises its
workers and does not load Django. A stream occupies a thread, so WEB_THREADS must exceed STREAMS_PER_PROCESS.
"""

import multiprocessing
import os
import shutil
from pathlib import Path
from typing import Any

from config.postgres.supervisor import die_with_parent

# Maximum database connections per worker.
MAX_CONNECTIONS = 24


def load_application(target: str) -> Any:
    """Load the WSGI application in a worker and tie the worker's life to its parent."""
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:
        die_with_parent(parent.pid)
    from config.wsgi import application

    return application


def _metrics_folder() -> str:
    """Create an empty directory for the workers' Prometheus counters."""
    var = os.environ.get("CONCLAVE_VAR") or Path(__file__).resolve().parent.parent / "var"
    folder = Path(var) / "metrics" / (os.environ.get("PORT") or "8000")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return str(folder)


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    os.environ.setdefault("DATABASE_POOL", str(MAX_CONNECTIONS))
    if os.environ.get("METRICS_TOKEN"):
        os.environ.update(PROMETHEUS_MULTIPROC_DIR=_metrics_folder())
    Server(
        "config.wsgi:application",
        address=os.environ.get("HOST") or "127.0.0.1",
        port=int(os.environ.get("PORT") or 8000),
        interface=Interfaces.WSGI,
        workers=int(os.environ.get("WEB_WORKERS") or 1),
        blocking_threads=int(os.environ.get("WEB_THREADS") or 40),
        respawn_failed_workers=True,
        workers_kill_timeout=5,
        log_level=LogLevels.error,
    ).serve(target_loader=load_application)


if __name__ == "__main__":
    main()
