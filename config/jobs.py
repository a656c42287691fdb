"""How jobs are written: plain functions, with their connections given back at the end; how workers reach them."""

import functools
from collections.abc import Callable
from typing import Any

import psycopg
from django.db import close_old_connections, connections, transaction
from procrastinate import exceptions
from procrastinate.psycopg_connector import PsycopgConnector


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


def defer_once(task: str, lock: str, **arguments: Any) -> None:
    """Defer `task` in the current transaction and tenant's scope, unless one with this queueing lock waits already."""
    from procrastinate.contrib.django import app
    from procrastinate.contrib.django.models import ProcrastinateJob

    if ProcrastinateJob.objects.filter(queueing_lock=lock, status="todo").exists():
        return
    try:
        with transaction.atomic():
            app.configure_task(task, queueing_lock=lock).defer(**arguments)
    except (exceptions.AlreadyEnqueued, AssertionError):
        # Somebody else was faster. The library asserts the server's details, which row-level security hides.
        return


class QueueConnector(PsycopgConnector):
    """The library's, on a queue under row-level security.

    There PostgreSQL does not tell the key that a unique index refused, and the library insists on it: without
    this, a periodic job that still waits behind others when it is due again would end the worker.
    """

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        try:
            return await super().execute_query_one_async(query, **arguments)
        except AssertionError as error:
            cause = error.__context__
            if not isinstance(cause, psycopg.errors.UniqueViolation):
                raise
            raise exceptions.UniqueViolation(
                constraint_name=cause.diag.constraint_name or "", queueing_lock=arguments.get("queueing_lock")
            ) from cause
