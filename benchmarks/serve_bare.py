"""Serve `benchmarks.baseline` with granian and the options of `config.serving`."""

import os

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server

if __name__ == "__main__":
    Server(
        "benchmarks.baseline:application",
        address="127.0.0.1",
        port=int(os.environ["PORT"]),
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=int(os.environ["WEB_THREADS"]),
        workers_kill_timeout=5,
        log_level=LogLevels.error,
    ).serve()
