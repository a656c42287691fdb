"""Operations of `/v1` in the OpenAPI document, in the formats of OpenAI and Anthropic.

The request schemas are those that validate the requests.
"""

import re
from typing import Any, NamedTuple

from pydantic import BaseModel

from config.api.schema import ALWAYS, BY_METHOD, RATE_HEADERS, TITLES
from conversations.api.anthropic import results as anthropic_results
from conversations.api.anthropic.schemas import CountRequest, MessagesRequest
from conversations.api.event_schemas import (
    COMPONENTS,
    Schema,
    describe_event,
    describe_object,
    reference,
)
from conversations.api.openai import results as openai_results
from conversations.api.openai.embeddings import EmbeddingRequest
from conversations.api.openai.files import PURPOSES
from conversations.api.openai.response_schemas import ResponseRequest
from conversations.api.openai.schemas import ChatRequest
from conversations.api.openai.urls import urlpatterns
from conversations.api.openai.vector_files import AttachRequest
from conversations.api.openai.vectors import SearchRequest, StoreRequest, StoreUpdateRequest

PREFIX = "/v1/"
METHODS = ("get", "post", "delete")
ASK = [{"role": "user", "content": "How do I reset my password?"}]


class Body(NamedTuple):
    """The schema of a request body, an example, and the component with the events of its stream."""

    schema: type[BaseModel]
    example: Schema
    events: str = ""


# Request bodies by the name of the route.
BODIES = {
    "openai-chat": Body(ChatRequest, {"model": "support", "messages": ASK}, "OpenAIChatEvent"),
    "openai-responses": Body(
        ResponseRequest, {"model": "support", "input": ASK[0]["content"]}, "OpenAIResponseEvent"
    ),
    "openai-embeddings": Body(EmbeddingRequest, {"model": "lexical-hash-384", "input": "Refund policy"}),
    "openai-vector-stores": Body(StoreRequest, {"name": "Manuals"}),
    "openai-vector-store": Body(StoreUpdateRequest, {"name": "Handbooks"}),
    "openai-vector-search": Body(SearchRequest, {"query": "refund policy"}),
    "openai-vector-files": Body(AttachRequest, {"file_id": "file-0197f3a25c007d6e8f90a1b2c3d4e5f6"}),
    "anthropic-messages": Body(
        MessagesRequest, {"model": "support", "max_tokens": 500, "messages": ASK}, "AnthropicEvent"
    ),
    "anthropic-count-tokens": Body(CountRequest, {"model": "support", "messages": ASK}),
}
# Schemas of responses by vendor, then by route and method.
RESULTS = {"OpenAI": openai_results.RESULTS, "Anthropic": anthropic_results.RESULTS}
UPLOAD = {
    "type": "object",
    "additionalProperties": False,
    "required": ["file", "purpose"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "purpose": {"type": "string", "enum": list(PURPOSES)},
    },
}
RESPONSE_EVENTS = (
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.done",
    "response.completed",
    "response.incomplete",
    "response.failed",
)
ANTHROPIC_EVENTS = (
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "ping",
    "error",
)
TEXT, FREE = {"type": "string"}, {"type": ["string", "null"]}


def _describe_typed_event(kind: str, **members: Schema) -> Schema:
    """Return the schema of an event whose data names its type."""
    return describe_event(kind, describe_object(type={"const": kind}, **members))


def build_components() -> Schema:
    """Return the schemas of events and errors by name of the component."""
    schemas: Schema = {}
    chunk, failure = (
        {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
        for schema in (
            _add_component("OpenAI", openai_results.ChatCompletionChunk, schemas),
            reference("OpenAIError"),
        )
    )
    numbered = {"sequence_number": {"type": "integer"}}
    error = describe_object(message=TEXT, type=TEXT)
    events = {
        "OpenAIChatEvent": describe_object(data={"anyOf": [{"const": "[DONE]"}, chunk, failure]}),
        "OpenAIResponseEvent": {
            "oneOf": [_describe_typed_event(kind, **numbered) for kind in RESPONSE_EVENTS]
        },
        "AnthropicEvent": {"oneOf": [_describe_typed_event(kind) for kind in ANTHROPIC_EVENTS]},
        "OpenAIError": describe_object(
            error=describe_object(message=TEXT, type=TEXT, param=FREE, code=FREE),
        ),
        "AnthropicError": describe_object(type={"const": "error"}, error=error),
    }
    return COMPONENTS | schemas | events


def add_wire_operations(result: Any, generator: Any, request: Any, public: Any) -> Any:
    """Add the operations of `/v1` and the events of all streams to the document."""
    schemas = result["components"]["schemas"]
    schemas |= build_components()
    for route in urlpatterns:
        view = getattr(route.callback, "view_class", None)
        if view is None:
            continue
        path = PREFIX + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(route.pattern))
        result["paths"][path] = {
            method: _build_operation(route.name, method, path, view, schemas)
            for method in METHODS
            if hasattr(view, method)
        }
    return result


def _build_operation(name: str, method: str, path: str, view: Any, schemas: Schema) -> Schema:
    vendor = "Anthropic" if name.startswith("anthropic") else "OpenAI"
    body = BODIES.get(name) if method == "post" else None
    content = _build_content(name, method, schemas)
    if body and body.events:
        content["text/event-stream"] = {"schema": reference(body.events)}
    error = {"application/json": {"schema": reference(f"{vendor}Error")}}
    responses = {"200": {"description": f"As in {vendor}'s API.", "content": content}}
    for status in (*ALWAYS, *BY_METHOD[method.upper()]):
        responses[str(status)] = {"description": str(TITLES[status]), "content": error}
    operation = {
        "operationId": f"{name}-{method}".replace("-", "_"),
        "description": getattr(view, method).__doc__,
        "tags": [vendor],
        "security": [{"apiKey": []}],
        "parameters": list(_build_parameters(method, path, view)),
        "responses": {status: each | {"headers": RATE_HEADERS} for status, each in responses.items()},
    }
    if body:
        shown = {"schema": _add_component(vendor, body.schema, schemas), "example": body.example}
        operation["requestBody"] = {"required": True, "content": {"application/json": shown}}
    elif (name, method) == ("openai-files", "post"):
        operation["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": UPLOAD}}}
    return operation


def _build_content(name: str, method: str, schemas: Schema) -> Schema:
    """Return the content of the successful response by media type."""
    if name == "openai-file-content":
        return {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    shapes = [
        _add_component(vendor, shape, schemas)
        for vendor, results in RESULTS.items()
        if (shape := results.get((name, method)))
    ]
    return {"application/json": {"schema": shapes[0] if len(shapes) == 1 else {"anyOf": shapes}}}


def _build_parameters(method: str, path: str, view: Any) -> Any:
    for name in re.findall(r"\{(\w+)\}", path):
        yield {"name": name, "in": "path", "required": True, "schema": TEXT}
    if method == "get" or not hasattr(view, "get"):
        for name in getattr(view, "anthropic_parameters", view.extra_parameters):
            yield {"name": name, "in": "query", "schema": TEXT}
    if method == "post" and view.accepts_idempotency_key:
        yield {"name": "Idempotency-Key", "in": "header", "schema": TEXT | {"maxLength": 255}}


def _add_component(vendor: str, shape: type[BaseModel], schemas: Schema) -> Schema:
    """Add the schema of a request or a response, and those that it refers to, to the components."""
    # Requests have parts of the same name, such as `NamedFunction`.
    is_request = shape.__name__.endswith("Request")
    prefix = vendor + (shape.__name__.removesuffix("Request") if is_request else "")
    built = shape.model_json_schema(ref_template=f"#/components/schemas/{prefix}{{model}}")
    schemas |= {f"{prefix}{name}": part for name, part in built.pop("$defs", {}).items()}
    name = f"{prefix}Request" if is_request else f"{prefix}{shape.__name__}"
    schemas[name] = built
    return reference(name)
