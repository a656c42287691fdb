"""Project-wide middleware: request ids, logging and content security policy."""

import gzip
import re
from collections.abc import Callable
from ipaddress import ip_address

from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django_structlog.middlewares import RequestMiddleware
from structlog.contextvars import bound_contextvars

from config.api.exceptions import problem_response
from config.db.ids import uuid7
from config.db.session import RequestInfo, request_info

REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{8,128}")
# API responses must not load resources, run scripts or be framed.
DENY_ALL_POLICY = "default-src 'none'; frame-ancestors 'none'"
# Bytes of a path or a query string; the longest that the API builds, a cursor, has a few hundred.
MAX_URI_BYTES = 8 * 1024
# A weight that refuses a coding; "q" may be a capital.
ZERO_WEIGHT = re.compile(r"[qQ]=0(\.0{0,3})?")
DATA_MEDIA_TYPES = ("application/json", "application/problem+json")


def client_ip(request: HttpRequest) -> str:
    """Return the client's IP address, or an empty string. A trusted proxy sets REMOTE_ADDR.

    The audit log's `inet` column rejects anything else, such as a Unix socket's path or an address with a port.
    """
    try:
        return str(ip_address(request.META.get("REMOTE_ADDR", "").partition("%")[0]))
    except ValueError:
        return ""


def accepts_gzip(request: HttpRequest) -> bool:
    """Return whether the client accepts gzip (RFC 9110, section 12.5.3)."""
    codings = [
        part.replace(" ", "").split(";") for part in request.META.get("HTTP_ACCEPT_ENCODING", "").split(",")
    ]
    return any(
        name.lower() == "gzip" and not any(map(ZERO_WEIGHT.fullmatch, weights)) for name, *weights in codings
    )


class CompressionMiddleware:
    """Middleware that compresses large JSON responses to API keys.

    Compression reveals by the length of a response whether text of an attacker equals a secret in it (BREACH). The
    attacker must make the client send requests, which is possible only for browsers, by their cookies. So responses
    to requests with cookies stay uncompressed, as do pages, and responses with secrets, which are `no-store`.
    """

    MIN_BYTES = 1024
    # Most of the gain of higher levels at a fraction of the time.
    LEVEL = 3

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not self._is_compressible(request, response):
            return response
        patch_vary_headers(response, ("Accept-Encoding",))
        if accepts_gzip(request):
            response.content = gzip.compress(response.content, compresslevel=self.LEVEL, mtime=0)
            response["Content-Encoding"] = "gzip"
            response["Content-Length"] = str(len(response.content))
            if (etag := response.get("ETag", "")).startswith('"'):
                # Equivalent, but not equal byte by byte.
                response["ETag"] = f"W/{etag}"
        return response

    def _is_compressible(self, request: HttpRequest, response: HttpResponse) -> bool:
        return (
            "HTTP_AUTHORIZATION" in request.META
            and not request.META.get("HTTP_COOKIE")
            and not response.cookies
            and not response.streaming
            and not response.has_header("Content-Encoding")
            and response.get("Content-Type", "").startswith(DATA_MEDIA_TYPES)
            and "no-store" not in response.get("Cache-Control", "")
            and len(response.content) >= self.MIN_BYTES
        )


class RequestIdMiddleware:
    """Assign a request id, reusing a well-formed X-Request-ID, and pass it to the audit log."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request.id = given if REQUEST_ID_PATTERN.fullmatch(given) else uuid7().hex  # type: ignore[attr-defined]
        # django-structlog reads the header, so logs and response use the same id.
        request.META["HTTP_X_REQUEST_ID"] = request.id  # type: ignore[attr-defined]
        agent = request.META.get("HTTP_USER_AGENT", "").encode("ascii", "replace").decode()[:300]
        token = request_info.set(RequestInfo(client_ip(request), request.id, agent.replace("\0", "")))  # type: ignore[attr-defined]
        try:
            response = self.get_response(request)
        finally:
            request_info.reset(token)
        response["X-Request-ID"] = request.id  # type: ignore[attr-defined]
        return response


class QueryLimitMiddleware:
    """Refuse long query strings before anything parses them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if len(request.META.get("QUERY_STRING", "")) > MAX_URI_BYTES:
            detail = f"The query string is longer than {MAX_URI_BYTES} bytes."
            return problem_response(request, 414, "uri_too_long", detail)
        return self.get_response(request)


class LogMiddleware(RequestMiddleware):
    """django-structlog's middleware with a fast path for API clients.

    Requests with an Authorization header are logged only if they fail or stream, which takes a tenth of the time.
    """

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "HTTP_AUTHORIZATION" not in request.META:
            return super().__call__(request)
        context = {"request_id": request.id, "ip": client_ip(request)}  # type: ignore[attr-defined]
        # Authentication binds tenant and user later. Binding them here ensures that they are unbound afterwards.
        with bound_contextvars(**context, tenant_id="", user_id=""):
            response = self.get_response(request)
            if response.status_code >= 400 or response.streaming:
                self.handle_response(request, response)
        return response


class ContentSecurityPolicyMiddleware(CSPMiddleware):
    """django-csp's policy for pages, and a fixed restrictive policy for JSON."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.headers.get("Content-Type", "").startswith(DATA_MEDIA_TYPES):
            response.headers.setdefault(HEADER, DENY_ALL_POLICY)
            return response
        return super().process_response(request, response)
