"""Streamed responses over ASGI, without a server."""

import asyncio
import threading

from config.serving.requests import RequestHead
from config.serving.responses import WsgiResponse, send_response
from config.serving.threads import FairThreadPool


class Chunks:
    """Chunks that record whether they are read and closed."""

    is_read = is_closed = False

    def __iter__(self):
        self.is_read = True
        return iter([b"data"])

    def close(self):
        self.is_closed = True


def test_stream_of_a_disconnected_client_is_not_produced():
    streams, occupied, chunks, sent = (
        FairThreadPool(1, waiting=4, name="test"),
        threading.Event(),
        Chunks(),
        [],
    )

    async def receive():
        # The client disconnects while the only thread is occupied.
        asyncio.get_running_loop().call_soon(occupied.set)
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    streams.submit("other", "127.0.0.2", lambda: occupied.wait(10))
    head = RequestHead({"method": "GET", "path": "/", "headers": [], "client": ("127.0.0.1", 1)})
    response = WsgiResponse(status=200, chunks=chunks)
    asyncio.run(send_response(response, receive, send, head=head, streams=streams))
    assert (sent, chunks.is_read, chunks.is_closed) == ([], False, True)
