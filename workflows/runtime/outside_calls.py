"""Calls of bodies to the outside, which end when their step is cancelled."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from asgiref.sync import sync_to_async

from agents.runtime.event_loop import run_in_event_loop
from config.db.connections import release_connections
from workflows.language.values import to_seconds
from workflows.runtime.step_bodies import StepContext, StepError

T = TypeVar("T")
CHECK_SECONDS = 1.0


def call_outside(context: StepContext, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    """Run an asynchronous function without a database connection; cancel it with the step.

    Raises:
        StepCancelledError: the step was cancelled before or during the call.
    """
    context.check_cancelled()
    release_connections()
    return run_in_event_loop(_watch, context, function, *arguments)


async def _watch(context: StepContext, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    call = asyncio.ensure_future(function(*arguments))
    try:
        while not (await asyncio.wait({call}, timeout=CHECK_SECONDS))[0]:
            await sync_to_async(context.check_cancelled)()
        return call.result()
    finally:
        if not call.done():
            call.cancel()
            await asyncio.wait({call})


def get_seconds(context: StepContext, default: float) -> float:
    """Return the time limit of the attempt in seconds, or `default`."""
    timeout = context.config.get("timeout")
    return float(to_seconds(timeout)) if timeout else default


def require_text(context: StepContext, name: str) -> str:
    """Return a member of the step that must be a string.

    Raises:
        StepError: it is missing or has another type.
    """
    value = context.config.get(name)
    if not isinstance(value, str) or not value.strip():
        raise StepError("invalid_input", f"The member {name} must be a string.", retryable=False)
    return value
