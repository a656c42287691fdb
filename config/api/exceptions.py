"""API errors as problem details (RFC 9457, `application/problem+json`).

`type` names the kind of problem and `code` the reason. Each entry of `errors` has a JSON pointer into the body
(RFC 6901) or the name of a query parameter. PostgreSQL's messages are never passed on: they can contain keys of
other rows.
"""

import logging
from collections.abc import Iterator
from typing import Any

import orjson
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, ValidationError
from django.core.signals import got_request_exception
from django.db import DatabaseError, InterfaceError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, HttpRequest, HttpResponse
from rest_framework import exceptions, status
from rest_framework.exceptions import APIException
from rest_framework.settings import api_settings

from config.db.constraint_messages import LIMIT_EXCEEDED, LIMIT_MESSAGE

from .constraint_errors import constraint_error

logger = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
TYPE_BASE = "/problems/"
TITLES = {
    400: "Invalid request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    408: "Request timeout",
    409: "Conflict",
    411: "Length required",
    412: "Precondition failed",
    413: "Too large",
    414: "URI too long",
    415: "Unsupported media type",
    422: "Unprocessable",
    429: "Too many requests",
    431: "Request headers too large",
    500: "Internal error",
    502: "Bad gateway",
    503: "Temporarily unavailable",
    504: "Gateway timeout",
}
# SQLSTATEs by (status, code). Clients may retry after a 503.
OUTCOMES = {
    (409, "conflict"): ("23505", "23P01"),
    (409, "in_use"): ("23503", "23001"),
    (400, "invalid"): ("23502", "23514", "22001", "22003", "22007", "22008", "22021", "22P02", "22P05"),
    (403, "permission_denied"): ("42501",),
    (400, "too_large"): ("54000", "54001"),
    (503, "retry"): ("40001", "40P01", "55P03"),
    (503, "timeout"): ("57014",),
}
SQLSTATES = {state: outcome for outcome, states in OUTCOMES.items() for state in states}
# Limits that free places when work ends, so that the same request may succeed later.
PASSING_LIMITS = frozenset({"concurrent_runs"})
UNREACHABLE = ("08", "53", "57", "25P")


class Problem(APIException):
    """An API error with a code and extension members (RFC 9457, section 3.2)."""

    status_code = 400
    default_code = "invalid"

    def __init__(self, detail: str = "", code: str = "", **members: Any) -> None:
        super().__init__(detail or self.default_detail, code or self.default_code)
        self.members = members


class Invalid(Problem):
    default_detail = "The request is not valid."


class Forbidden(Problem):
    status_code = status.HTTP_403_FORBIDDEN
    default_detail = "You do not have permission to perform this action."
    default_code = "permission_denied"


class TenantNotFound(Problem):
    status_code = status.HTTP_404_NOT_FOUND
    default_detail = "Organisation not found."
    default_code = "tenant_not_found"


class EngagementNotFound(Problem):
    status_code = status.HTTP_404_NOT_FOUND
    default_detail = "Engagement not found."
    default_code = "engagement_not_found"


class Conflict(Problem):
    status_code = status.HTTP_409_CONFLICT
    default_detail = "The request conflicts with the current state of the resource."
    default_code = "conflict"


class PreconditionFailed(Problem):
    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = "The resource has changed since you read it. Fetch it again and retry."
    default_code = "stale"


class TooLarge(Problem):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The request body is too large."
    default_code = "too_large"


class Unprocessable(Problem):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = "The request cannot be processed."
    default_code = "unprocessable"


# Django's exceptions by the API exception that replaces them; the first match counts.
API_EXCEPTIONS: dict[type[Exception], type[APIException]] = {
    Http404: exceptions.NotFound,
    PermissionDenied: exceptions.PermissionDenied,
    RequestDataTooBig: TooLarge,
    # For example more query parameters than DATA_UPLOAD_MAX_NUMBER_FIELDS.
    SuspiciousOperation: Invalid,
}


def problem_response(
    request: HttpRequest | None,
    status_code: int,
    code: str,
    detail: str = "",
    *,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
    **members: Any,
) -> HttpResponse:
    """Return a problem details response."""
    body = {
        "type": f"{TYPE_BASE}{code.replace('_', '-')}",
        "title": TITLES.get(status_code, "Error"),
        "status": status_code,
        "detail": detail or TITLES.get(status_code, "Error"),
        "code": code,
        "instance": getattr(request, "path", ""),
        "request_id": getattr(request, "id", ""),
    }
    if errors:
        body["errors"] = errors
    content = orjson.dumps(body | members, default=str)
    return HttpResponse(content, status=status_code, content_type=MEDIA_TYPE, headers=headers)


def _pointers(detail: Any, pointer: str = "") -> Iterator[dict[str, str]]:
    """Yield the leaves of DRF's nested error detail, each with its JSON pointer."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            step = str(key).replace("~", "~0").replace("/", "~1")
            inner = pointer if key == api_settings.NON_FIELD_ERRORS_KEY else f"{pointer}/{step}"
            yield from _pointers(value, inner)
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            nested = isinstance(value, (dict, list))
            yield from _pointers(value, f"{pointer}/{index}" if nested else pointer)
    else:
        code = getattr(detail, "code", None) or "invalid"
        yield {"pointer": pointer, "code": str(code), "detail": str(detail)}


def _from_api_exception(exc: APIException, request: HttpRequest | None) -> HttpResponse:
    headers = {}
    # DRF sets both attributes on the exception.
    if auth_header := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = auth_header
    if (wait := getattr(exc, "wait", None)) is not None:
        headers["Retry-After"] = str(max(int(wait), 1))
    codes = exc.get_codes()
    if isinstance(exc.detail, (dict, list)):
        errors = list(_pointers(exc.detail))
        detail = errors[0]["detail"] if len(errors) == 1 else f"{len(errors)} values are invalid."
        return problem_response(request, exc.status_code, "invalid", detail, errors=errors, headers=headers)
    members = getattr(exc, "members", {})
    return problem_response(request, exc.status_code, str(codes), str(exc.detail), headers=headers, **members)


def _from_database(exc: Exception, request: HttpRequest | None) -> HttpResponse | None:
    """Return the response to a database error that the client caused or can retry, else None."""
    if isinstance(exc, RestrictedError | ProtectedError):
        # Django raises these before the database does. The exception holds rows, which must not reach a log.
        return problem_response(request, 409, "in_use")
    cause = exc.__cause__
    state = getattr(cause, "sqlstate", None) or ""
    if state == LIMIT_EXCEEDED:
        members = orjson.loads(cause.diag.message_detail)  # type: ignore[union-attr]
        if members["resource"] in PASSING_LIMITS:
            wait = {"Retry-After": "5"}
            return problem_response(request, 429, "limit_exceeded", LIMIT_MESSAGE, headers=wait, **members)
        return problem_response(request, 403, "limit_exceeded", LIMIT_MESSAGE, **members)
    named = constraint_error(cause, state)
    if named is not None:
        status_code, code, errors = named
        return problem_response(request, status_code, code, errors[0]["detail"], errors=errors)
    if state == "23514" and not getattr(cause.diag, "constraint_name", None):  # type: ignore[union-attr]
        # Not a violated constraint: the table has no partition for this time.
        logger.error("a table lacks a partition: run manage.py partitions", exc_info=exc)
        return problem_response(request, 503, "no_partition", headers={"Retry-After": "60"})
    if state in SQLSTATES:
        status_code, code = SQLSTATES[state]
        headers = {"Retry-After": "1"} if status_code == 503 else None
        return problem_response(request, status_code, code, headers=headers)
    if state.startswith(UNREACHABLE) or (not state and is_connection_error(exc)):
        return problem_response(request, 503, "database_unavailable", headers={"Retry-After": "2"})
    if not state and "NUL" in str(exc):
        return problem_response(request, 400, "invalid", "Null characters are not allowed.")
    return None


def is_connection_error(exc: Exception) -> bool:
    """Return whether the connection broke, as opposed to a statement that failed.

    psycopg raises InternalError without SQLSTATE for an unexpected response: a pooler that lost its server.
    """
    from django.db import InternalError, OperationalError

    return isinstance(exc, (InterfaceError, InternalError, OperationalError))


def problem_handler(exc: Exception, context: dict[str, Any]) -> HttpResponse:
    """Return a problem details response for any exception (DRF's `EXCEPTION_HANDLER`)."""
    request = context.get("request")
    bare = getattr(request, "_request", request)
    replacement = next(
        (replacement for kind, replacement in API_EXCEPTIONS.items() if isinstance(exc, kind)), None
    )
    if replacement is not None:
        exc = replacement()
    elif isinstance(exc, ValidationError):
        exc = exceptions.ValidationError(exc.message_dict if hasattr(exc, "error_dict") else exc.messages)
    if isinstance(exc, APIException):
        return _from_api_exception(exc, bare)
    if isinstance(exc, (DatabaseError, InterfaceError)):
        response = _from_database(exc, bare)
        if response is not None:
            return response
    return internal_error_response(exc, bare)


def internal_error_response(exc: Exception, request: HttpRequest | None) -> HttpResponse:
    """Log the exception and return a 500 response that does not reveal it."""
    logger.error("unexpected error in %s", getattr(request, "path", "?"), exc_info=exc)
    got_request_exception.send(sender=None, request=request)
    return problem_response(
        request, 500, "internal", "An internal error occurred. Quote the request ID when you report it."
    )
