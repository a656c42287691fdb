"""Helpers for background jobs, and the queue connector of the workers."""

import functools
from collections.abc import Callable
from typing import Any

import psycopg
from django.db import close_old_connections, connections, transaction
from procrastinate import exceptions
from procrastinate.psycopg_connector import PsycopgConnector


def job(body: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a procrastinate task so that it closes its thread's database connections."""

    @functools.wraps(body)
    def run(*args: Any, **kwargs: Any) -> Any:
        close_old_connections()
        try:
            return body(*args, **kwargs)
        finally:
            connections.close_all()

    return run


def defer_once(task: str, lock: str, **arguments: Any) -> None:
    """Defer `task` in the current transaction unless a job with this lock is already queued."""
    _defer_once(task, lock, None, arguments)


def defer_exclusive(task: str, lock: str, *, queueing_lock: str = "", **arguments: Any) -> None:
    """Defer `task` like `defer_once`; the job waits until no other one with this lock is running.

    Args:
        queueing_lock: lock of which one job can be queued; by default `lock`.
    """
    _defer_once(task, queueing_lock or lock, lock, arguments)


def _defer_once(task: str, queueing_lock: str, lock: str | None, arguments: dict[str, Any]) -> None:
    from procrastinate.contrib.django import app
    from procrastinate.contrib.django.models import ProcrastinateJob

    if ProcrastinateJob.objects.filter(queueing_lock=queueing_lock, status="todo").exists():
        return
    try:
        with transaction.atomic():
            app.configure_task(task, queueing_lock=queueing_lock, lock=lock).defer(**arguments)
    except (exceptions.AlreadyEnqueued, AssertionError):
        # Another process deferred it first. procrastinate asserts on error details that row-level security hides.
        return


class QueueConnector(PsycopgConnector):
    """procrastinate's connector for a queue under row-level security.

    There PostgreSQL omits the violated key from unique violations, on which procrastinate asserts. Without this class,
    a periodic job that is still queued when it is due again would crash the worker.
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
