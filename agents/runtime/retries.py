"""Retries of model requests, identical for every provider.

The SDKs treat `Retry-After` differently, so their retries are disabled and the HTTP transport retries instead.
Importing this module imports httpx2.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

import httpx2

from config.http.retry_after import parse_retry_after

MAX_RETRIES = 2
# Retried in addition to all 5xx.
RETRIED_STATUSES = frozenset({408, 425, 429})
# A longer `Retry-After` is not waited for: the request fails or a fallback model answers.
MAX_WAIT = 20.0
INITIAL_WAIT = 0.5
Sleep = Callable[[float], Awaitable[None]]


class RetryingTransport(httpx2.AsyncBaseTransport):
    """Transport that retries up to `MAX_RETRIES` times after 429, 5xx and connection errors.

    Waits with jitter, at least as long as `Retry-After`, up to `MAX_WAIT`. A response that has started is never
    retried.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport, sleep: Sleep = asyncio.sleep) -> None:
        self.inner, self.sleep = inner, sleep

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        for attempt in range(MAX_RETRIES):
            try:
                response = await self.inner.handle_async_request(request)
            except httpx2.TransportError:
                wait: float | None = backoff_delay(attempt)
            else:
                if not is_transient(response):
                    return response
                wait = retry_delay(response, attempt)
                if wait is None:
                    return response
                await response.aclose()
            await self.sleep(wait or 0)
        return await self.inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self.inner.aclose()


def is_transient(response: httpx2.Response) -> bool:
    """Return whether the response indicates a transient failure."""
    if response.headers.get("x-should-retry") == "false":
        return False
    return response.status_code in RETRIED_STATUSES or response.status_code >= 500


def retry_delay(response: httpx2.Response, attempt: int) -> float | None:
    """Return the seconds to wait, or None if the endpoint asks for more than `MAX_WAIT`."""
    requested_delay = parse_retry_after(response.headers.get("retry-after", ""))
    if requested_delay is None:
        return backoff_delay(attempt)
    # Jitter, so that clients limited at the same time do not retry at the same time.
    return requested_delay * random.uniform(1, 1.25) if requested_delay <= MAX_WAIT else None  # noqa: S311 (no secret)


def backoff_delay(attempt: int) -> float:
    """Return the seconds of exponential backoff with jitter."""
    return INITIAL_WAIT * 2**attempt * random.uniform(0.5, 1)  # noqa: S311 (no secret)
