"""Requests that the web server refuses before Django handles them."""

from typing import Any

from django.http import HttpResponse
from rest_framework.exceptions import APIException

from config.api.body_limits import find_view
from config.api.exceptions import Problem, problem_handler
from config.db.ids import uuid7
from config.middleware import DENY_ALL_POLICY, REQUEST_ID_PATTERN
from config.serving.requests import RequestHead


class ClientDisconnectedError(Exception):
    """The client disconnected before its request was complete."""


class RequestTimeout(Problem):
    status_code = 408
    default_detail = "The request was not received completely in time."
    default_code = "request_timeout"


class LengthRequired(Problem):
    status_code = 411
    default_detail = "The request needs a Content-Length header."
    default_code = "length_required"


class UriTooLong(Problem):
    status_code = 414
    default_detail = "The URL is too long."
    default_code = "uri_too_long"


class HeadersTooLarge(Problem):
    status_code = 431
    default_detail = "The request headers are too large."
    default_code = "headers_too_large"


class MissingHeader(Problem):
    """A header that the route requires is missing."""

    default_code = "missing_header"

    def __init__(self, name: str) -> None:
        super().__init__(f"The request needs the header {name}.")


class TooManyBodies(Problem):
    """The client sends too many request bodies at once."""

    status_code = 429
    default_detail = "Too many requests are being received. Complete them first, then retry."
    default_code = "too_many_requests"
    wait = 5


class TooManyWaiting(Problem):
    """The client has too many requests that wait for a thread."""

    status_code = 429
    default_detail = "Too many requests are in progress. Wait for their responses, then retry."
    default_code = "too_many_requests"
    wait = 2


class ServerBusy(Problem):
    """The process has too many requests that wait for a thread."""

    status_code = 503
    default_detail = "The server is busy. Try again later."
    default_code = "busy"
    wait = 5


class _RefusedRequest:
    """The attributes of a request that error renderers read."""

    def __init__(self, head: RequestHead, identifier: str) -> None:
        self.path, self.method, self.headers, self.id = head.path, head.method, head.headers, identifier


def render_refusal(head: RequestHead, error: APIException) -> HttpResponse:
    """Return the problem in the error format of the path's view."""
    given = head.headers.get("x-request-id", "")
    identifier = given if REQUEST_ID_PATTERN.fullmatch(given) else uuid7().hex
    context: dict[str, Any] = {"request": _RefusedRequest(head, identifier)}
    view_class = None if isinstance(error, UriTooLong) else getattr(find_view(head.path), "cls", None)
    handler = view_class().get_exception_handler() if view_class else problem_handler
    response: HttpResponse = handler(error, context)
    response["X-Request-ID"] = identifier
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = DENY_ALL_POLICY
    return response
