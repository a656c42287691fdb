"""POST /v1/messages and /v1/messages/count_tokens."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.http.response import HttpResponseBase

from config.api.views import json_response
from conversations.api.compat import ModelNotFoundError, encode_event
from conversations.api.input_files import InputFileMixin
from conversations.api.wire_models import validate_schema
from conversations.completions.turns import UnknownModelError, resolve_model
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

from .blocks import check_documents, insert_files
from .errors import error_body
from .schemas import CountRequest, MessagesRequest, to_completion_request
from .threads import ThreadTurn, load_thread_turn

REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_call": "tool_use", "content_filter": "refusal"}


class DocumentsMixin(InputFileMixin):
    """Views whose messages may have documents."""

    def insert_files(self, body: CountRequest) -> None:
        """Replace uploaded files by their text, and check the number of documents."""
        contents = body.list_contents()
        check_documents(contents)
        insert_files(contents, self.read_files)


class MessagesView(DocumentsMixin):
    """A message from an agent or from a model of a tenant integration."""

    dialect = staticmethod(error_body)
    extra_parameters = ("beta",)

    def post(self, request: Any) -> HttpResponseBase:
        """Create a message, complete or as server-sent events."""
        body = validate_schema(MessagesRequest, request.data)
        self.require_model(body.model)
        turn = self._load_thread_turn(body)
        self.insert_files(turn.request)
        return self.answer(
            to_completion_request(turn.request, turn.history, turn.record),
            lambda completion: _render(completion, body.model),
            lambda stream: _StreamEncoder(stream.answer_id, body.model).encode(stream.events),
            is_streamed=body.stream,
            after=turn.previous,
        )

    def _load_thread_turn(self, body: MessagesRequest) -> ThreadTurn:
        if body.thread is None:
            return ThreadTurn(body, {})
        if body.thread.type == "continue":
            self.require("conversations", "read")
        with self.scoped():
            return load_thread_turn(body, self.credential.user_id)


class CountTokensView(DocumentsMixin):
    """Estimate of a request's input tokens, made without calling the model."""

    dialect = staticmethod(error_body)
    accepts_idempotency_key = False
    extra_parameters = ("beta",)

    def post(self, request: Any) -> HttpResponse:
        """Estimate the input tokens; nothing is stored."""
        body = validate_schema(CountRequest, request.data)
        self.require_model(body.model)
        self.insert_files(body)
        completion = to_completion_request(body)
        self.check_tool_results(completion)
        # Readers may not see credentials, and the agent is loaded with its account.
        with self.scoped():
            try:
                resolve_model(completion.model)
            except UnknownModelError:
                raise ModelNotFoundError(completion.model) from None
        return json_response({"input_tokens": _estimate(completion)})


def _estimate(completion: CompletionRequest) -> int:
    texts = [completion.instructions, *(message.text for message in completion.messages)]
    texts += [call.arguments for message in completion.messages for call in message.calls]
    texts += [f"{tool.name} {tool.description} {json.dumps(tool.schema)}" for tool in completion.tools]
    return max(1, sum(count_tokens(text) for text in texts))


def _render(outcome: Completion, model: str) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    if outcome.text or not outcome.calls:
        content.append({"type": "text", "text": outcome.text, "citations": None})
    content += [_render_call(call) for call in outcome.calls]
    reason = REASONS.get(outcome.finish, "end_turn")
    return _build_message(outcome.answer_id, model, content, reason, outcome.used)


def _build_message(
    answer_id: UUID, model: str, content: list[dict[str, Any]], reason: str | None, used: TokenUsage
) -> dict[str, Any]:
    return {
        "id": f"msg_{answer_id.hex}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": _render_usage(used),
    }


def _render_call(call: ToolCall) -> dict[str, Any]:
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        # The model wrote invalid JSON: pass it to the client unchanged.
        arguments = {"arguments": call.arguments}
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments}


def _render_usage(used: TokenUsage) -> dict[str, int]:
    return {
        "input_tokens": used.input_tokens,
        "output_tokens": used.output_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
    }


class _StreamEncoder:
    """Events of a streamed message; at most one block is open."""

    def __init__(self, answer_id: UUID, model: str) -> None:
        self.answer_id, self.model = answer_id, model
        self.block, self.open = -1, ""

    def encode(self, events: Iterator[CompletionEvent]) -> Iterator[bytes]:
        """Yield the encoded events of the stream."""
        yield encode_event(
            "message_start", message=_build_message(self.answer_id, self.model, [], None, TokenUsage())
        )
        for event in events:
            if isinstance(event, TextDelta):
                yield from self._say(event)
            elif isinstance(event, ToolCallDelta):
                yield from self._call(event)
            elif isinstance(event, Completion):
                yield from self._end(event)
            elif isinstance(event, CompletionError):
                yield encode_event("error", error=error_body(500, event.code, event.message, None)["error"])
            else:
                yield encode_event("ping")

    def _begin(self, key: str, block: dict[str, Any]) -> Iterator[bytes]:
        if self.open != key:
            yield from self._close()
            self.block, self.open = self.block + 1, key
            yield encode_event("content_block_start", index=self.block, content_block=block)

    def _close(self) -> Iterator[bytes]:
        if self.open:
            yield encode_event("content_block_stop", index=self.block)
            self.open = ""

    def _say(self, piece: TextDelta) -> Iterator[bytes]:
        yield from self._begin("text", {"type": "text", "text": "", "citations": None})
        yield encode_event(
            "content_block_delta", index=self.block, delta={"type": "text_delta", "text": piece.text}
        )

    def _call(self, piece: ToolCallDelta) -> Iterator[bytes]:
        start = {"type": "tool_use", "id": piece.id, "name": piece.name, "input": {}}
        yield from self._begin(f"call {piece.index}", start)
        if piece.arguments:
            delta = {"type": "input_json_delta", "partial_json": piece.arguments}
            yield encode_event("content_block_delta", index=self.block, delta=delta)

    def _end(self, outcome: Completion) -> Iterator[bytes]:
        yield from self._close()
        reason = REASONS.get(outcome.finish, "end_turn")
        delta = {"stop_reason": reason, "stop_sequence": None}
        yield encode_event("message_delta", delta=delta, usage=_render_usage(outcome.used))
        yield encode_event("message_stop")
