"""The ASGI application in front of Django's WSGI handler.

It checks and collects each request, then calls the handler in a thread.
"""

import asyncio
from collections.abc import Callable
from io import BytesIO
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import APIException

from config.api.body_limits import find_view, get_body_limit
from config.middleware import MAX_URI_BYTES
from config.observability import metrics
from config.serving.bodies import BodyCollector
from config.serving.errors import (
    ClientDisconnectedError,
    HeadersTooLarge,
    MissingHeader,
    UriTooLong,
    render_refusal,
)
from config.serving.health import HealthEndpoints
from config.serving.requests import Receive, RequestHead, build_environ
from config.serving.responses import (
    FileWrapper,
    Send,
    WsgiResponse,
    call_wsgi,
    send_content,
    send_response,
)
from config.serving.threads import SHARED_PARTS, FairThreadPool

MAX_HEADER_BYTES = 32 * 1024
# Requests that wait for a thread, for each thread.
WAITING_PER_THREAD = 32


class Application:
    """ASGI application around a WSGI application."""

    def __init__(self, wsgi: Callable[..., Any], *, threads: int) -> None:
        self.wsgi = wsgi
        self.health = HealthEndpoints()
        self.bodies = BodyCollector(
            per_client=settings.UNFINISHED_BODIES_PER_CLIENT, in_total=settings.UNFINISHED_BODIES
        )
        self.threads = FairThreadPool(threads, waiting=threads * WAITING_PER_THREAD, name="request")
        # One client may have all streams of a process, also beside others.
        streams = settings.STREAMS_PER_PROCESS * SHARED_PARTS
        self.streams = FairThreadPool(streams, waiting=streams, name="response")

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        head = RequestHead(scope)
        health = await self.health.respond(head.method, head.path)
        if health is not None:
            await send_content(send, health)
            return
        try:
            response = await self._handle(head, receive)
            await send_response(response, receive, send, head=head, streams=self.streams)
        except APIException as error:
            metrics.record_refused_request(error.status_code)
            await send_content(send, render_refusal(head, error))
        except ClientDisconnectedError:
            metrics.record_refused_request(499)

    async def _handle(self, head: RequestHead, receive: Receive) -> WsgiResponse:
        self._check(head)
        body, length = await self._collect(head, receive)

        def call() -> WsgiResponse:
            with body:
                return call_wsgi(self.wsgi, build_environ(head, body, length, FileWrapper))

        try:
            future = self.threads.submit(head.client, head.address, call)
        except APIException:
            body.close()
            raise
        response: WsgiResponse = await asyncio.wrap_future(future)
        return response

    def _check(self, head: RequestHead) -> None:
        """Check the head before anything is read.

        Raises:
            UriTooLong: path or query string are longer than `MAX_URI_BYTES`.
            HeadersTooLarge: the headers are larger than `MAX_HEADER_BYTES`.
        """
        if max(len(head.scope["query_string"]), len(head.scope["raw_path"])) > MAX_URI_BYTES:
            raise UriTooLong
        if head.size > MAX_HEADER_BYTES:
            raise HeadersTooLarge

    async def _collect(self, head: RequestHead, receive: Receive) -> tuple[IO[bytes], int]:
        """Return the body and its length.

        Without a route it is empty, because the response does not depend on it.

        Raises:
            MissingHeader: the route requires a header that is missing.
        """
        if head.length == 0:
            return BytesIO(), 0
        view = find_view(head.path)
        if view is None:
            return BytesIO(), 0
        limit = get_body_limit(view, head.method, has_session_cookie=bool(head.session))
        for name in limit.required_headers:
            if name.lower() not in head.headers:
                raise MissingHeader(name)
        if limit.header_part and not any(limit.header_part in name for name in head.headers):
            raise MissingHeader(f"with the {limit.header_part}")
        return await self.bodies.collect(head, limit, receive)
