"""Middleware that belongs to no domain."""

import re
from collections.abc import Callable
from ipaddress import ip_address

from django.http import HttpRequest, HttpResponse

from config.db.ids import uuid7
from config.db.stamps import RequestInfo, request_info

ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,128}")


def client_ip(request: HttpRequest) -> str:
    """The address of the peer, empty when there is none; a proxy that is trusted sets REMOTE_ADDR itself.

    What is no address (a Unix socket's name, one with a port) would make the audit log refuse every write.
    """
    try:
        return str(ip_address(request.META.get("REMOTE_ADDR", "").partition("%")[0]))
    except ValueError:
        return ""


class RequestIdMiddleware:
    """Gives each request an id, keeps the client's when it is well formed, and tells the audit log about both."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request.id = given if ACCEPTED.fullmatch(given) else uuid7().hex  # type: ignore[attr-defined]
        # Whoever logs the request reads the header: one request, one id.
        request.META["HTTP_X_REQUEST_ID"] = request.id  # type: ignore[attr-defined]
        agent = request.META.get("HTTP_USER_AGENT", "").encode("ascii", "replace").decode()[:300]
        token = request_info.set(RequestInfo(client_ip(request), request.id, agent.replace("\0", "")))  # type: ignore[attr-defined]
        try:
            response = self.get_response(request)
        finally:
            request_info.reset(token)
        response["X-Request-ID"] = request.id  # type: ignore[attr-defined]
        return response
