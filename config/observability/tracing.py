"""Traces by OpenTelemetry, sent by OTLP where the standard variables name a collector; else nothing is loaded.

Spans of agents, models and tools are Pydantic AI's own, by the conventions for generative AI
(https://opentelemetry.io/docs/specs/semconv/gen-ai/); requests get a server span by those for HTTP. Prompts and answers
are left out unless OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT is true.
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
_about: ContextVar[Mapping[str, str] | None] = ContextVar("about", default=None)


def is_on() -> bool:
    """Whether a collector is named and nothing switches traces off."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if os.environ.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
        return False
    return any(os.environ.get(name) for name in ENDPOINTS)


@cache
def provider() -> Any:
    """The process's tracer provider, made at its first span, after every fork; None when traces are off."""
    if not is_on():
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    class About(SpanProcessor):
        """Gives every span what `about` says."""

        def on_start(self, span: Any, parent_context: Any = None) -> None:
            span.set_attributes(_about.get() or {})

    name = os.environ.get("OTEL_SERVICE_NAME") or SERVICE
    made = TracerProvider(resource=Resource.create({"service.name": name}))
    made.add_span_processor(About())
    made.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return made


@cache
def instrumentation() -> Any:
    """Pydantic AI's settings for agents and models; None when traces are off."""
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
def about(*, tenant_id: UUID, conversation_id: UUID, agent_id: UUID | None) -> Iterator[None]:
    """What every span and log line of the block is about."""
    with bound_contextvars(tenant_id=str(tenant_id), conversation_id=str(conversation_id)):
        if not is_on():
            yield
            return
        attributes = {"conclave.tenant.id": str(tenant_id), "gen_ai.conversation.id": str(conversation_id)}
        if agent_id:
            attributes["gen_ai.agent.id"] = str(agent_id)
        token = _about.set(attributes)
        try:
            yield
        finally:
            _about.reset(token)


def trace_ids() -> dict[str, str]:
    """`trace_id` and `span_id` of the span that is open, as hexadecimal text; empty without one."""
    if not is_on():
        return {}
    from opentelemetry.trace import get_current_span

    context = get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
