"""Responses of the WSGI handler over ASGI.

A slow reader occupies no thread.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import IO, Any

from django.http import HttpResponse

from config.db.connections import release_connections
from config.serving.requests import Receive, RequestHead
from config.serving.threads import FairThreadPool

Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
CHUNK_BYTES = 64 * 1024
# A larger file is sent in chunks.
SMALL_FILE_BYTES = 1024 * 1024
# Maximum time until a client accepts a chunk.
SEND_SECONDS = 60


class FileWrapper:
    """The `wsgi.file_wrapper` of PEP 3333, for responses that are files."""

    def __init__(self, file: IO[bytes], block_size: int = CHUNK_BYTES) -> None:
        self.file = file

    def close(self) -> None:
        """Close the file and the response."""
        self.file.close()


@dataclass(slots=True)
class WsgiResponse:
    """A response of the WSGI handler.

    Its body is `content`, or a `file` or `chunks` after it.
    """

    status: int = 500
    headers: Headers = field(default_factory=list)
    content: bytes = b""
    file: FileWrapper | None = None
    chunks: Any = None
    context: Context | None = None

    def start(self, status: str, headers: Iterable[tuple[str, str]], exc_info: Any = None) -> None:
        """Implement `start_response` of PEP 3333."""
        self.status = int(status.partition(" ")[0])
        self.headers = _encode_headers(headers)

    @property
    def start_message(self) -> dict[str, Any]:
        return {"type": "http.response.start", "status": self.status, "headers": self.headers}


def call_wsgi(application: Callable[..., Any], environ: dict[str, Any]) -> WsgiResponse:
    """Call a WSGI application and return its response, with small files in memory.

    Other threads produce chunks, so the connections of this thread are released first.
    """
    response = WsgiResponse()
    body = application(environ, response.start)
    if isinstance(body, FileWrapper):
        response.content = body.file.read(SMALL_FILE_BYTES) if environ["REQUEST_METHOD"] != "HEAD" else b""
        if len(response.content) == SMALL_FILE_BYTES:
            response.file = body
        else:
            body.close()
    elif getattr(body, "streaming", False) and response.status != 304:
        response.chunks, response.context = body, copy_context()
    else:
        try:
            response.content = b"".join(body)
        finally:
            body.close()
    if response.file or response.chunks:
        release_connections()
    return response


async def send_response(
    response: WsgiResponse, receive: Receive, send: Send, *, head: RequestHead, streams: FairThreadPool
) -> None:
    """Send a response. `streams` runs the generators of streamed ones."""
    if response.chunks is not None:
        await _send_chunks(response, receive, send, head=head, streams=streams)
        return
    await send(response.start_message)
    await send(_body_message(response.content, more=response.file is not None))
    if response.file is not None:
        await _send_file(response.file, send)


async def send_content(send: Send, response: HttpResponse) -> None:
    """Send a response whose content is complete."""
    headers = _encode_headers([*response.items(), ("Content-Length", str(len(response.content)))])
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send(_body_message(response.content))


def _encode_headers(headers: Iterable[tuple[str, str]]) -> Headers:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _body_message(content: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}


async def _send_file(wrapper: FileWrapper, send: Send) -> None:
    try:
        while chunk := await asyncio.to_thread(wrapper.file.read, CHUNK_BYTES):
            async with asyncio.timeout(SEND_SECONDS):
                await send(_body_message(chunk, more=True))
        await send(_body_message(b""))
    finally:
        await asyncio.to_thread(wrapper.close)


async def _send_chunks(
    response: WsgiResponse, receive: Receive, send: Send, *, head: RequestHead, streams: FairThreadPool
) -> None:
    """Run the generator in a thread of `streams` and send its chunks.

    Stops when the client disconnects or does not read.
    """
    loop, context, chunks = asyncio.get_running_loop(), response.context or Context(), response.chunks
    disconnected = loop.create_task(_wait_for_disconnect(receive))

    def wait_until_sent(message: dict[str, Any]) -> None:
        asyncio.run_coroutine_threadsafe(asyncio.wait_for(send(message), SEND_SECONDS), loop).result()

    def produce() -> None:
        try:
            if disconnected.done():
                return
            wait_until_sent(response.start_message)
            for chunk in chunks:
                if disconnected.done():
                    return
                wait_until_sent(_body_message(chunk, more=True))
        finally:
            chunks.close()
        wait_until_sent(_body_message(b""))

    try:
        future = streams.submit(head.client, head.address, lambda: context.run(produce))
    except BaseException:
        disconnected.cancel()
        await asyncio.to_thread(chunks.close)
        raise
    try:
        await asyncio.wrap_future(future)
    finally:
        disconnected.cancel()


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
