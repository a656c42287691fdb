"""Granian with `config.wsgi`, a mutation without the limits of `config.serving`."""

import os
from typing import Any


def load_application(target: str) -> Any:
    """Load the WSGI application in a worker."""
    from config.wsgi import application

    return application


def main() -> None:
    """Serve until SIGTERM."""
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    Server(
        "config.wsgi:application",
        address="127.0.0.1",
        port=int(os.environ["PORT"]),
        interface=Interfaces.WSGI,
        blocking_threads=int(os.environ["WEB_THREADS"]),
        workers_kill_timeout=1,
        log_level=LogLevels.error,
    ).serve(target_loader=load_application)


if __name__ == "__main__":
    main()
