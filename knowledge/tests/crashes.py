"""Worker and web processes that tests kill at a given call."""

import json
import subprocess
import sys
from contextlib import contextmanager

from config.postgres.logins import WEB, WORKER
from config.testing.web_server import BASE_DIR, build_environment


@contextmanager
def crash_requests(*imports, **variables):
    """Yield a function that posts a request in a process killed at a point, and returns its exit code."""
    with _crash_processes(WEB, imports, variables) as run:
        yield lambda point, **request: run(f"{point}\t{json.dumps(request)}")


@contextmanager
def crash_workers(*imports, **variables):
    """Yield a function that runs a worker, optionally killed at a point, and returns its exit code.

    Args:
        imports: Slow modules of libraries that each worker would otherwise import again.
        variables: Further environment variables.
    """
    with _crash_processes(WORKER, imports, variables) as run:
        yield run


@contextmanager
def _crash_processes(login, imports, variables):
    """Yield a function that sends a line to the program and returns the exit code of the fork.

    One process imports the project and each worker is a fork of it.
    """
    module = "config.testing.crash_worker"
    process = subprocess.Popen(
        [sys.executable, "-c", f"import {', '.join([*imports, module])}; {module}.main()"],
        env=build_environment(CONCLAVE_LOGIN=login, **variables),
        cwd=BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def run(point=""):
        process.stdin.write(point + "\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    try:
        assert process.stdout.readline() == "ready\n"
        yield run
    finally:
        process.stdin.close()
        process.wait(30)
