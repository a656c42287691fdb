"""The event loop on which all agents of a process wait for their models."""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import ThreadSensitiveContext

from config.serving.threads import inside_pool, outside_pool

P = ParamSpec("P")
T = TypeVar("T")

_lock = threading.Lock()
_loops: dict[int, asyncio.AbstractEventLoop] = {}


def run_in_event_loop(function: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run an asynchronous function on the event loop of the process and return its result.

    One thread runs the asynchronous code of all agents, so many of them delay other requests no more than a few.
    Functions in `sync_to_async` run on the calling thread, with its database connections, each in a place of the pool.
    """
    calls = _CallingThread()

    async def run() -> T:
        async with ThreadSensitiveContext(executor=calls):
            return await function(*args, **kwargs)

    with outside_pool():
        result = asyncio.run_coroutine_threadsafe(run(), _get_loop())
        calls.run_until(result)
    return result.result()


class _CallingThread(Executor):
    """Executor that runs calls on the thread that waits in `run_until`."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._calls.put(partial(_call, future, partial(fn, *args, **kwargs)))
        return future

    def run_until(self, result: Future[Any]) -> None:
        """Run submitted calls until there is a result."""
        result.add_done_callback(lambda _: self._calls.put(None))
        while call := self._calls.get():
            with inside_pool():
                call()


def _call(future: Future[Any], function: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function()
    except BaseException as error:  # noqa: BLE001 - the event loop handles it
        future.set_exception(error)
    else:
        future.set_result(result)


def _get_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of this process, which a daemon thread runs."""
    with _lock:
        loop = _loops.get(os.getpid())
        if loop is None:
            loop = _loops[os.getpid()] = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, daemon=True, name="agents").start()
        return loop
