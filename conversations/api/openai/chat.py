"""POST /v1/chat/completions."""

from collections.abc import Iterator
from typing import Any

from django.http.response import HttpResponseBase

from config.api.renderers import dumps
from config.db.ids import uuid7_time
from conversations.api.streaming import KEEP_ALIVE
from conversations.api.wire_models import CompatError, validate_schema
from conversations.completions.answers import CompletionStream
from conversations.completions.types import (
    Completion,
    CompletionError,
    CompletionRequest,
    TextDelta,
    TokenUsage,
    ToolCall,
    ToolCallDelta,
)
from conversations.runtime.stream_buffer import KeepAlive

from .errors import error_body
from .file_parts import FilePartsMixin
from .schemas import JSON_ONLY, ChatRequest, NamedTool, parse_content, to_chat_message, to_tool

FINISHES = {"tool_call": "tool_calls"}


def to_completion_request(asked: ChatRequest) -> CompletionRequest:
    """Convert the request to a completion request."""
    messages = [message for message in asked.messages if message.role not in ("system", "developer")]
    if not messages or messages[-1].role == "assistant":
        raise CompatError("messages", "The last message must come from the user or from a tool.")
    instructions = [
        parse_content(message.content)[0]
        for message in asked.messages
        if message.role in ("system", "developer")
    ]
    shape = asked.response_format
    json_object = bool(shape and shape.type == "json_object")
    if json_object:
        instructions.append(JSON_ONLY)
    if shape and shape.type == "json_schema" and shape.json_schema is None:
        raise CompatError(
            "response_format.json_schema", "The response format json_schema requires `json_schema`."
        )
    structured = shape.json_schema if shape and shape.type == "json_schema" else None
    chosen = asked.tool_choice or "auto"
    return CompletionRequest(
        model=asked.model,
        messages=tuple(to_chat_message(message) for message in messages),
        instructions="\n\n".join(instructions),
        tools=tuple(to_tool(tool.function) for tool in asked.tools or ()),
        choice=chosen.function.name if isinstance(chosen, NamedTool) else chosen,
        **(structured.members() if structured else {}),
        json_object=json_object,
        is_stored=asked.store is not False,
        settings=_settings(asked),
        names={"effort": "reasoning_effort"},
        origin={"source": "openai.chat", "model": asked.model, "client_metadata": asked.metadata or {}},
    )


def _settings(asked: ChatRequest) -> dict[str, Any]:
    stops = [asked.stop] if isinstance(asked.stop, str) else asked.stop
    return asked.sampling(
        max_tokens=asked.max_completion_tokens or asked.max_tokens,
        stop_sequences=stops,
        seed=asked.seed,
        presence_penalty=asked.presence_penalty,
        frequency_penalty=asked.frequency_penalty,
        logit_bias=asked.logit_bias,
        logprobs=asked.logprobs,
        effort=asked.reasoning_effort,
        verbosity=asked.verbosity,
    )


class ChatCompletionsView(FilePartsMixin):
    """A chat completion from an agent or from a model of a tenant integration."""

    dialect = staticmethod(error_body)

    def post(self, request: Any) -> HttpResponseBase:
        """Create a chat completion, complete or as server-sent events."""
        body = validate_schema(ChatRequest, request.data)
        asked = [message.content for message in body.messages if message.role in ("user", "tool")]
        self.insert_files(body.model, asked)
        include_usage = bool(body.stream_options and body.stream_options.include_usage)
        return self.answer(
            to_completion_request(body),
            lambda completion: _render(completion, body.model),
            lambda stream: _encode_stream(stream, body.model, include_usage),
            is_streamed=body.stream,
        )


def _render(outcome: Completion, model: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": outcome.text or None, "refusal": None}
    if outcome.calls:
        message["tool_calls"] = [_render_call(call) for call in outcome.calls]
    else:
        message["content"] = outcome.text
    reason = FINISHES.get(outcome.finish, outcome.finish)
    choice = {"index": 0, "message": message, "logprobs": _render_logprobs(outcome), "finish_reason": reason}
    body = _envelope(outcome.answer_id, model, "chat.completion")
    return body | {"choices": [choice], "usage": _render_usage(outcome.used)}


def _envelope(identifier: Any, model: str, kind: str) -> dict[str, Any]:
    created = int(uuid7_time(identifier).timestamp())
    return {"id": f"chatcmpl-{identifier.hex}", "object": kind, "created": created, "model": model}


def _render_call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _render_logprobs(outcome: Completion) -> dict[str, Any] | None:
    return None if outcome.logprobs is None else {"content": outcome.logprobs, "refusal": None}


def _render_usage(used: TokenUsage) -> dict[str, int]:
    return {
        "prompt_tokens": used.input_tokens,
        "completion_tokens": used.output_tokens,
        "total_tokens": used.total,
    }


def _encode_stream(stream: CompletionStream, model: str, include_usage: bool) -> Iterator[bytes]:
    head = _envelope(stream.answer_id, model, "chat.completion.chunk")
    rest: dict[str, Any] = {"usage": None} if include_usage else {}
    yield _chunk(head | rest, {"role": "assistant", "content": ""})
    for event in stream.events:
        if isinstance(event, TextDelta):
            yield _chunk(head | rest, {"content": event.text})
        elif isinstance(event, ToolCallDelta):
            yield _chunk(head | rest, {"tool_calls": [_render_delta(event)]})
        elif isinstance(event, KeepAlive):
            yield KEEP_ALIVE
        elif isinstance(event, CompletionError):
            yield _data(error_body(500, event.code, event.message, None))
        elif isinstance(event, Completion):
            reason = FINISHES.get(event.finish, event.finish)
            yield _chunk(head | rest, {}, reason, _render_logprobs(event))
            if include_usage:
                yield _data(head | {"choices": [], "usage": _render_usage(event.used)})
            yield b"data: [DONE]\n\n"


def _render_delta(piece: ToolCallDelta) -> dict[str, Any]:
    function: dict[str, Any] = {"arguments": piece.arguments}
    if not piece.id:
        return {"index": piece.index, "function": function}
    return {
        "index": piece.index,
        "id": piece.id,
        "type": "function",
        "function": {"name": piece.name, **function},
    }


def _chunk(
    head: dict[str, Any],
    delta: dict[str, Any],
    reason: str | None = None,
    logprobs: dict[str, Any] | None = None,
) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
    return _data(head | {"choices": [choice]})


def _data(body: dict[str, Any]) -> bytes:
    return b"data: " + dumps(body) + b"\n\n"
