"""Middleware that belongs to no domain."""

import re
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from config.db.ids import uuid7
from config.db.stamps import RequestInfo, request_info

ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,128}")


def client_ip(request: HttpRequest) -> str:
    """The address of the peer; a proxy that is trusted sets REMOTE_ADDR itself."""
    address = request.META.get("REMOTE_ADDR", "")
    return address if address.replace(":", "").replace(".", "").isalnum() else ""


class RequestIdMiddleware:
    """Gives each request an id, keeps the client's when it is well formed, and tells the audit log about both."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request.id = given if ACCEPTED.fullmatch(given) else uuid7().hex  # type: ignore[attr-defined]
        agent = request.META.get("HTTP_USER_AGENT", "").encode("ascii", "replace").decode()[:300]
        token = request_info.set(RequestInfo(client_ip(request), request.id, agent.replace("\0", "")))  # type: ignore[attr-defined]
        try:
            response = self.get_response(request)
        finally:
            request_info.reset(token)
        response["X-Request-ID"] = request.id  # type: ignore[attr-defined]
        return response
