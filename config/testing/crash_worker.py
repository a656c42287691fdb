"""Workers that kill themselves at a given call: `python -m config.testing.crash_worker`.

Each line of standard input is a kill point. For each line, the program forks a worker, which runs until no job is
left or until the kill point, and prints its exit code: 0, or -9 if it was killed. A kill point is `before` or
`after`, the function and the number of the call: `after conversations.runtime.toolset:search_passages 2`. An empty line
runs a worker without a kill point.

A tab and a JSON object after the kill point send a POST request through Django's test client instead of running a
worker: `{"path": …, "data": …, "headers": {…}}`.
"""

import importlib
import json
import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from itertools import count
from typing import Any

import django


def main() -> None:
    """Read kill points until the end of the input."""
    django.setup()
    from django.core.management import call_command
    from django.db import connections
    from django.test import Client

    from config.warmup import warm_up

    warm_up()
    connections.close_all()
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            point, _, request = line.strip("\n").partition("\t")
            if point:
                install_kill_point(point)
            if request:
                Client(SERVER_NAME="localhost").post(content_type="application/json", **json.loads(request))
            else:
                call_command("worker", once=True)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(status, flush=True)


def install_kill_point(point: str) -> None:
    """Kill this process with SIGKILL at `point`."""
    moment, target, number = point.split()
    module, _, path = target.partition(":")
    owner: Any = importlib.import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    setattr(owner, name, _kill_at_call(getattr(owner, name), moment, int(number)))


def _kill_at_call(function: Callable[..., Any], moment: str, number: int) -> Callable[..., Any]:
    calls = count(1)

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        reached = next(calls) == number
        if reached and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **kwargs)
        if reached:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return run


if __name__ == "__main__":
    main()
