"""Trying a request to a model again, in the same way for every provider.

The SDKs differ: one waits as long as an endpoint asks, one never looks at what it asks. So they try once, and the
connection below them tries again. Importing this module imports httpx2.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime

import httpx2

MAX_RETRIES = 2
# Too many requests, and waits of the endpoint's own; besides all of 5xx.
TRIED_AGAIN = frozenset({408, 425, 429})
# What an endpoint asks for beyond this is not waited for: the person is told, or another model asked.
LONGEST_WAIT = 20.0
FIRST_WAIT = 0.5
Sleep = Callable[[float], Awaitable[None]]


class RetryingTransport(httpx2.AsyncBaseTransport):
    """Sends by `inner`, up to `MAX_RETRIES` times more: after 429, 5xx and connections that gave no answer.

    Waits with jitter, at least as long as `Retry-After` asks, and at most `LONGEST_WAIT`. An answer that began is
    never asked for again.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport, sleep: Sleep = asyncio.sleep) -> None:
        self.inner, self.sleep = inner, sleep

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        for attempt in range(MAX_RETRIES):
            try:
                response = await self.inner.handle_async_request(request)
            except httpx2.TransportError:
                wait: float | None = usual_wait(attempt)
            else:
                if not is_passing(response):
                    return response
                wait = wait_of(response, attempt)
                if wait is None:
                    return response
                await response.aclose()
            await self.sleep(wait or 0)
        return await self.inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self.inner.aclose()


def is_passing(response: httpx2.Response) -> bool:
    """Whether the same request may be answered a little later."""
    if response.headers.get("x-should-retry") == "false":
        return False
    return response.status_code in TRIED_AGAIN or response.status_code >= 500


def wait_of(response: httpx2.Response, attempt: int) -> float | None:
    """Seconds before the next attempt; None when the endpoint asks for more than is waited."""
    asked = retry_after(response.headers.get("retry-after", ""))
    if asked is None:
        return usual_wait(attempt)
    # Those who were sent away together do not come back together.
    return asked * random.uniform(1, 1.25) if asked <= LONGEST_WAIT else None  # noqa: S311 (no secret)


def usual_wait(attempt: int) -> float:
    """Seconds before the next attempt where nobody asks for any: twice as long each time, with jitter."""
    return FIRST_WAIT * 2**attempt * random.uniform(0.5, 1)  # noqa: S311 (no secret)


def retry_after(value: str) -> float | None:
    """The header's seconds, or those until its date; None for what is neither."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    # NaN is no number to compare.
    return max(seconds, 0.0) if seconds == seconds else None
