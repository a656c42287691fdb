"""OpenTelemetry traces, exported by OTLP if the standard environment variables name a collector.

Pydantic AI creates the spans of agents, models and tools by the semantic conventions for generative AI
(https://opentelemetry.io/docs/specs/semconv/gen-ai/). Prompts and answers are omitted unless
OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT is true. Without a collector nothing is loaded.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any
from uuid import UUID

from structlog.contextvars import bound_contextvars

SERVICE = "conclave"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_attributes: ContextVar[Mapping[str, str] | None] = ContextVar("conclave_span_attributes", default=None)


def is_on() -> bool:
    """Return whether a collector is configured and tracing is not disabled."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if os.environ.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return False
    return any(os.environ.get(name) for name in ENDPOINTS)


@cache
def provider() -> Any:
    """Return the process's tracer provider, created at its first span, or None if tracing is off."""
    if not is_on():
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    class AttributeProcessor(SpanProcessor):
        """Add the attributes of `span_attributes` to each span."""

        def on_start(self, span: Any, parent_context: Any = None) -> None:
            span.set_attributes(_attributes.get() or {})

    name = os.environ.get("OTEL_SERVICE_NAME") or SERVICE
    made = TracerProvider(resource=Resource.create({"service.name": name}))
    made.add_span_processor(AttributeProcessor())
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return made


@cache
def instrumentation() -> Any:
    """Return Pydantic AI's settings for agents and models, or None if tracing is off."""
    if provider() is None:
        return None
    from pydantic_ai.models.instrumented import InstrumentationSettings

    content = os.environ.get(CONTENT, "").lower() == "true"
    return InstrumentationSettings(
        tracer_provider=provider(),
        include_content=content,
        include_binary_content=False,
        include_model_request_parameters=False,
    )


@contextmanager
def span_attributes(*, tenant_id: UUID, conversation_id: UUID, agent_id: UUID | None) -> Iterator[None]:
    """Add these ids to all spans and log lines of the block."""
    with bound_contextvars(tenant_id=str(tenant_id), conversation_id=str(conversation_id)):
        if not is_on():
            yield
            return
        attributes = {"conclave.tenant.id": str(tenant_id), "gen_ai.conversation.id": str(conversation_id)}
        if agent_id:
            attributes["gen_ai.agent.id"] = str(agent_id)
        token = _attributes.set(attributes)
        try:
            yield
        finally:
            _attributes.reset(token)


def trace_ids() -> dict[str, str]:
    """Return `trace_id` and `span_id` of the current span in hexadecimal, or an empty dict."""
    if not is_on():
        return {}
    from opentelemetry.trace import get_current_span

    context = get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
