"""Collection of request bodies within limits of size, time and number."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from config.api.body_limits import BodyLimit
from config.api.exceptions import TooLarge
from config.serving.errors import ClientDisconnectedError, LengthRequired, RequestTimeout, TooManyBodies
from config.serving.requests import Receive, RequestHead

# A larger body is written to a temporary file.
MEMORY_BYTES = 1024 * 1024
# Maximum time without any data.
STALL_SECONDS = 15


class BodyCollector:
    """Collector that limits unfinished bodies by client, by address and in total."""

    def __init__(self, *, per_client: int, in_total: int) -> None:
        self.per_client, self.in_total = per_client, in_total
        # Clients that present different keys share the limit of their address, which may be a proxy's.
        self.per_address = max(per_client, in_total // 2)
        self._open: Counter[tuple[str, str]] = Counter()

    async def collect(self, head: RequestHead, limit: BodyLimit, receive: Receive) -> tuple[IO[bytes], int]:
        """Return the complete body as a file at its start, and its size.

        Raises:
            TooLarge: the body exceeds the limit; raised before reading if its length is declared.
            LengthRequired: the limit requires a declared length.
            TooManyBodies: the client, its address or the process receives its maximum number of bodies.
            RequestTimeout: the body is not complete in time.
            ClientDisconnectedError: the client disconnected.
        """
        if head.length is None and limit.requires_length:
            raise LengthRequired
        if (head.length or 0) > limit.max_bytes:
            raise _too_large(limit)
        body = tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES)  # noqa: SIM115 - the request closes it
        try:
            with self._counted(head):
                async with asyncio.timeout(limit.seconds):
                    size = await _read(body, limit, receive)
        except TimeoutError:
            body.close()
            raise RequestTimeout from None
        except BaseException:
            body.close()
            raise
        body.seek(0)
        return body, size

    @contextmanager
    def _counted(self, head: RequestHead) -> Iterator[None]:
        client, address, total = ("client", head.client), ("address", head.address), ("total", "")
        limits = ((client, self.per_client), (address, self.per_address), (total, self.in_total))
        if any(self._open[key] >= most for key, most in limits):
            raise TooManyBodies
        self._open.update((client, address, total))
        try:
            yield
        finally:
            for key in (client, address, total):
                self._open[key] -= 1
                if not self._open[key]:
                    del self._open[key]


async def _read(body: IO[bytes], limit: BodyLimit, receive: Receive) -> int:
    size, more = 0, True
    while more:
        async with asyncio.timeout(STALL_SECONDS):
            message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnectedError
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size > limit.max_bytes:
            raise _too_large(limit)
        if size > MEMORY_BYTES:
            await asyncio.to_thread(body.write, chunk)
        else:
            body.write(chunk)
    return size


def _too_large(limit: BodyLimit) -> TooLarge:
    return TooLarge(f"The request body is larger than {limit.max_bytes} bytes.")
