"""POST /v1/messages and /v1/messages/count_tokens."""

import json
from collections.abc import Iterator
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase

from config.api.renderers import dumps
from config.api.views import json_response
from conversations.api.compat import CompatView, ModelNotFoundError, validate_schema
from conversations.completions.turns import CompletionRun, UnknownModelError, resolve_model
from conversations.completions.types import (
    Completion,
    CompletionError,
    CompletionEvent,
    CompletionRequest,
    TextDelta,
    TokenUsage,
    ToolCall,
    ToolCallDelta,
)
from knowledge.chunking import count_tokens

from .schemas import CountRequest, MessagesRequest, to_completion_request

REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_call": "tool_use", "content_filter": "refusal"}
TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def error_body(status: int, code: str, message: str, parameter: str | None) -> dict[str, Any]:
    """Return an error body in Anthropic's format."""
    return {"type": "error", "error": {"type": TYPES.get(status, "api_error"), "message": message}}


class MessagesView(CompatView):
    """A message from an agent or from a model of a tenant integration."""

    dialect = staticmethod(error_body)
    extra_parameters = ("beta",)

    def post(self, request: Any) -> HttpResponseBase:
        """Create a message, complete or as server-sent events."""
        asked = validate_schema(MessagesRequest, request.data)
        wish = to_completion_request(asked)
        if asked.stream:
            return self.streamed(wish, lambda exchange, events: _Lines(exchange).all(events))
        return json_response(_message(self.answered(wish), wish.model))


class CountTokensView(CompatView):
    """Estimate of a request's input tokens, made without calling the model."""

    dialect = staticmethod(error_body)
    extra_parameters = ("beta",)

    def post(self, request: Any) -> HttpResponse:
        """Estimate the input tokens; nothing is stored."""
        wish = to_completion_request(validate_schema(CountRequest, request.data))
        self.require("integrations" if "/" in wish.model else "agents", "execute")
        # Readers may not see credentials, and the agent is loaded with its account.
        with self.scoped():
            try:
                resolve_model(wish.model)
            except UnknownModelError:
                raise ModelNotFoundError(wish.model) from None
        return json_response({"input_tokens": _estimate(wish)})


def _estimate(wish: CompletionRequest) -> int:
    texts = [wish.instructions, *(said.text for said in wish.messages)]
    texts += [call.arguments for said in wish.messages for call in said.calls]
    texts += [f"{tool.name} {tool.description} {json.dumps(tool.schema)}" for tool in wish.tools]
    return max(1, sum(count_tokens(text) for text in texts))


def _message(outcome: Completion, model: str) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    if outcome.text or not outcome.calls:
        content.append({"type": "text", "text": outcome.text, "citations": None})
    content += [_use(call) for call in outcome.calls]
    return {
        "id": f"msg_{outcome.answer_id.hex}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": REASONS.get(outcome.finish, "end_turn"),
        "stop_sequence": None,
        "usage": _usage(outcome.used),
    }


def _use(call: ToolCall) -> dict[str, Any]:
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        # The model wrote invalid JSON: pass it to the client unchanged.
        arguments = {"arguments": call.arguments}
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments}


def _usage(used: TokenUsage) -> dict[str, int]:
    return {
        "input_tokens": used.input_tokens,
        "output_tokens": used.output_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
    }


class _Lines:
    """Events of a streamed message; at most one block is open."""

    def __init__(self, exchange: CompletionRun) -> None:
        self.exchange = exchange
        self.block, self.open = -1, ""

    def all(self, events: Iterator[CompletionEvent]) -> Iterator[bytes]:
        """Yield every line of the stream."""
        yield _event("message_start", message=self._start())
        for event in events:
            if isinstance(event, TextDelta):
                yield from self._say(event)
            elif isinstance(event, ToolCallDelta):
                yield from self._call(event)
            elif isinstance(event, Completion):
                yield from self._end(event)
            elif isinstance(event, CompletionError):
                yield _event("error", error=error_body(500, event.code, event.message, None)["error"])
            else:
                yield _event("ping")

    def _start(self) -> dict[str, Any]:
        return {
            "id": f"msg_{self.exchange.turn.answer_id.hex}",
            "type": "message",
            "role": "assistant",
            "model": self.exchange.request.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": _usage(TokenUsage()),
        }

    def _begin(self, key: str, block: dict[str, Any]) -> Iterator[bytes]:
        if self.open != key:
            yield from self._close()
            self.block, self.open = self.block + 1, key
            yield _event("content_block_start", index=self.block, content_block=block)

    def _close(self) -> Iterator[bytes]:
        if self.open:
            yield _event("content_block_stop", index=self.block)
            self.open = ""

    def _say(self, piece: TextDelta) -> Iterator[bytes]:
        yield from self._begin("text", {"type": "text", "text": "", "citations": None})
        yield _event(
            "content_block_delta", index=self.block, delta={"type": "text_delta", "text": piece.text}
        )

    def _call(self, piece: ToolCallDelta) -> Iterator[bytes]:
        start = {"type": "tool_use", "id": piece.id, "name": piece.name, "input": {}}
        yield from self._begin(f"call {piece.index}", start)
        if piece.arguments:
            delta = {"type": "input_json_delta", "partial_json": piece.arguments}
            yield _event("content_block_delta", index=self.block, delta=delta)

    def _end(self, outcome: Completion) -> Iterator[bytes]:
        yield from self._close()
        reason = REASONS.get(outcome.finish, "end_turn")
        delta = {"stop_reason": reason, "stop_sequence": None}
        yield _event("message_delta", delta=delta, usage=_usage(outcome.used))
        yield _event("message_stop")


def _event(kind: str, **members: Any) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + dumps({"type": kind, **members}) + b"\n\n"
