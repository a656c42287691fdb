"""A server span for each request."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse

from config.observability import tracing

# Paths that monitoring polls every few seconds, and static files.
UNTRACED = ("/healthz", "/readyz", "/metrics", "/static/")


class TraceMiddleware:
    """Create a server span for each request, a child of the span in the `traceparent` header.

    It follows the semantic conventions for HTTP. The span of a stream ends with the stream.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if not tracing.is_on():
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(UNTRACED):
            return self.get_response(request)
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        parent = TraceContextTextMapPropagator().extract({k.lower(): v for k, v in request.headers.items()})
        span = (
            tracing.provider()
            .get_tracer("conclave")
            .start_span(
                request.method or "HTTP",
                context=parent,
                kind=trace.SpanKind.SERVER,
                attributes={
                    "http.request.method": request.method or "",
                    "url.path": request.path,
                    "url.scheme": request.scheme or "",
                    "conclave.request.id": getattr(request, "id", ""),
                },
            )
        )
        with trace.use_span(span, end_on_exit=False):
            try:
                response = self.get_response(request)
            except BaseException:
                span.end()
                raise
        return _end_span(span, request, response)


def _end_span(span: Any, request: HttpRequest, response: HttpResponse) -> HttpResponse:
    route = request.resolver_match.route if request.resolver_match else None
    if route:
        span.update_name(f"{request.method} /{route}")
        span.set_attribute("http.route", f"/{route}")
    span.set_attribute("http.response.status_code", response.status_code)
    if response.status_code >= 500:
        from opentelemetry.trace import StatusCode

        span.set_status(StatusCode.ERROR)
        span.set_attribute("error.type", str(response.status_code))
    if response.streaming:
        response._resource_closers.append(span.end)  # type: ignore[attr-defined]
    else:
        span.end()
    return response
