"""How jobs are written: plain functions, with their connections given back at the end; how workers reach them."""

import functools
from collections.abc import Callable
from typing import Any

import psycopg
from django.db import close_old_connections, connections
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
