"""Asynchronous functions run on one event loop, their synchronous calls on the calling thread."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest
from asgiref.sync import sync_to_async

from agents.runtime.event_loop import run_in_event_loop

name = ContextVar("name", default="")


async def find_threads():
    await asyncio.sleep(0)
    return threading.current_thread(), await sync_to_async(threading.current_thread)()


def test_all_callers_share_one_thread_for_asynchronous_code():
    with ThreadPoolExecutor(4) as executor:
        callers = [executor.submit(lambda: (*run_in_event_loop(find_threads), threading.current_thread()))]
        callers += [executor.submit(lambda: (*run_in_event_loop(find_threads), threading.current_thread()))]
        found = [caller.result() for caller in callers]
    assert len({loop for loop, _, _ in found}) == 1
    assert all(synchronous is caller and loop is not caller for loop, synchronous, caller in found)


def test_context_of_the_caller_is_visible():
    async def read():
        return name.get(), await sync_to_async(name.get)()

    token = name.set("tenant")
    try:
        assert run_in_event_loop(read) == ("tenant", "tenant")
    finally:
        name.reset(token)


def test_exceptions_reach_the_caller():
    async def fail(where):
        if where == "loop":
            raise LookupError
        await sync_to_async(int)("x")

    with pytest.raises(LookupError):
        run_in_event_loop(fail, "loop")
    with pytest.raises(ValueError, match="invalid literal"):
        run_in_event_loop(fail, "thread")


def test_calls_can_be_nested():
    async def inner(number):
        return await sync_to_async(lambda: number + 1)()

    async def outer():
        return await sync_to_async(lambda: run_in_event_loop(inner, 1))()

    assert run_in_event_loop(outer) == 2


def test_call_of_a_cancelled_task_ends_before_the_caller_continues():
    ended = threading.Event()

    def work():
        threading.Event().wait(0.1)
        ended.set()

    async def time_out():
        async with asyncio.timeout(0.01):
            await sync_to_async(work)()

    with pytest.raises(TimeoutError):
        run_in_event_loop(time_out)
    assert ended.is_set()
