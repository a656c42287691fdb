"""The MCP endpoint over streamable HTTP, authenticated by an API key.

Serves the stateless revision 2026-07-28 and the older handshake, both without sessions, so any web process can
answer any request. The library is an ASGI application; the view runs it for one request at a time.
"""

import asyncio
from typing import Any

from asgiref.sync import async_to_sync
from django.http import HttpResponse

from config.api.permissions import ANY_CREDENTIAL
from config.api.views import ApiView
from conversations.mcp.server import current_credential, get_server

FORWARDED_HEADERS = frozenset({"accept", "content-type", "content-length", "host", "last-event-id"})
RETURNED_HEADERS = frozenset({"content-type", "mcp-session-id", "mcp-protocol-version", "allow"})


class McpView(ApiView):
    """The MCP endpoint. Each tool checks its scope; listing tools needs none."""

    resource = ANY_CREDENTIAL
    scope = "manual"
    schema = None
    http_method_names = ["post"]
    extra_media_types = ("text/event-stream",)

    def post(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Handle one MCP message."""
        token = current_credential.set(self.credential)
        try:
            return async_to_sync(_handle_message)(request._request)
        finally:
            current_credential.reset(token)


async def _handle_message(request: Any) -> HttpResponse:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from mcp.server.transport_security import TransportSecuritySettings

    # Django checks host names, and browsers send no API key.
    checks = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    manager = StreamableHTTPSessionManager(
        get_server()._lowlevel_server, json_response=True, stateless=True, security_settings=checks
    )
    collector = _ResponseCollector()
    async with manager.run():
        await manager.handle_request(_build_asgi_scope(request), _build_receive(request.body), collector)
    return collector.response()


def _build_asgi_scope(request: Any) -> dict[str, Any]:
    headers = [
        (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in request.headers.items()
        if name.lower() in FORWARDED_HEADERS or name.lower().startswith("mcp-")
    ]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.scheme,
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 0),
        "server": ("conclave", 80),
    }


def _build_receive(body: bytes) -> Any:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop()
        # The client never disconnects; the listener is cancelled when the response is complete.
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    return receive


class _ResponseCollector:
    """Collects the ASGI messages of a response."""

    def __init__(self) -> None:
        self.status, self.body = 500, bytearray()
        self.headers: list[tuple[bytes, bytes]] = []

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], message["headers"]
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    def response(self) -> HttpResponse:
        found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self.headers}
        headers = {name: value for name, value in found.items() if name in RETURNED_HEADERS}
        kind = headers.pop("content-type", "application/json")
        return HttpResponse(bytes(self.body), status=self.status, content_type=kind, headers=headers)
