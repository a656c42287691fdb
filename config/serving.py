"""The web server: granian around `config.wsgi`, as `python -m config.serving`.

The parent loads no Django: it only watches its workers. Variables: HOST, PORT, WEB_WORKERS, WEB_THREADS, DATABASE_POOL.
A stream holds its thread, so there are some more threads than STREAMS_PER_PROCESS allows streams.
"""

import multiprocessing
import os
import shutil
from pathlib import Path
from typing import Any

from config.db.supervisor import die_with_parent

# Of one worker to the database, at most.
CONNECTIONS = 24


def load_application(target: str) -> Any:
    """The WSGI application, loaded inside a worker, which from then on dies with its parent."""
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:
        die_with_parent(parent.pid)
    from config.wsgi import application

    return application


def _metrics_folder() -> str:
    """An empty folder in which the workers keep their counters."""
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

    os.environ.setdefault("DATABASE_POOL", str(CONNECTIONS))
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
