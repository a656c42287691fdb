"""How jobs are written: plain functions, with their connections given back at the end."""

import functools
from collections.abc import Callable
from typing import Any

from django.db import close_old_connections, connections


def job(body: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the body of a procrastinate task: threads of the worker come and go, connections must not stay."""

    @functools.wraps(body)
    def run(*args: Any, **kwargs: Any) -> Any:
        close_old_connections()
        try:
            return body(*args, **kwargs)
        finally:
            connections.close_all()

    return run
