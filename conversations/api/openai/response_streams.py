"""Server-sent events of a streamed response."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from conversations.api.compat import encode_event
from conversations.api.streaming import KEEP_ALIVE
from conversations.completions.types import (
    Completion,
    CompletionError,
    CompletionEvent,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)

from .response_objects import (
    CALL,
    MESSAGE,
    build_body,
    build_call,
    build_message,
    build_text,
    render_response,
)
from .response_schemas import ResponseRequest


class ResponseStreamEncoder:
    """Numbered events of a streamed response; items open and close in order."""

    def __init__(self, identifier: UUID, asked: ResponseRequest) -> None:
        self.identifier, self.asked = identifier, asked
        self.number, self.text, self.calls = -1, "", dict[int, tuple[int, ToolCall]]()
        self.message_place: int | None = None
        self.places = 0

    def encode(self, events: Iterator[CompletionEvent]) -> Iterator[bytes]:
        """Yield the encoded events of the stream."""
        opened = build_body(self.asked, self.identifier, "in_progress", [])
        yield self._event("response.created", response=opened)
        yield self._event("response.in_progress", response=opened)
        for event in events:
            if isinstance(event, TextDelta):
                yield from self._say(event.text)
            elif isinstance(event, ToolCallDelta):
                yield from self._call(event)
            elif isinstance(event, Completion):
                yield from self._end(event)
            elif isinstance(event, CompletionError):
                yield from self._fail(event)
            else:
                yield KEEP_ALIVE

    def _event(self, kind: str, **members: Any) -> bytes:
        self.number += 1
        return encode_event(kind, sequence_number=self.number, **members)

    def _place(self) -> int:
        self.places += 1
        return self.places - 1

    @property
    def _part(self) -> dict[str, Any]:
        return {
            "item_id": f"{MESSAGE}{self.identifier.hex}",
            "output_index": self.message_place,
            "content_index": 0,
        }

    def _say(self, piece: str) -> Iterator[bytes]:
        if self.message_place is None:
            self.message_place = self._place()
            item = build_message(self.identifier, None)
            yield self._event("response.output_item.added", output_index=self.message_place, item=item)
            yield self._event("response.content_part.added", **self._part, part=build_text(""))
        self.text += piece
        yield self._event("response.output_text.delta", **self._part, delta=piece, logprobs=[])

    def _call(self, piece: ToolCallDelta) -> Iterator[bytes]:
        if piece.index not in self.calls:
            place, call = self._place(), ToolCall(piece.id, piece.name, "")
            yield self._event(
                "response.output_item.added",
                output_index=place,
                item=build_call(self.identifier, call, "in_progress"),
            )
        else:
            place, call = self.calls[piece.index]
        call = ToolCall(call.id, call.name, call.arguments + piece.arguments)
        self.calls[piece.index] = (place, call)
        if piece.arguments:
            yield self._event(
                "response.function_call_arguments.delta",
                item_id=f"{CALL}{self.identifier.hex}_{call.id}",
                output_index=place,
                delta=piece.arguments,
            )

    def _end(self, outcome: Completion) -> Iterator[bytes]:
        if self.message_place is not None:
            yield self._event("response.output_text.done", **self._part, text=self.text, logprobs=[])
            yield self._event("response.content_part.done", **self._part, part=build_text(self.text))
            item = build_message(self.identifier, self.text)
            yield self._event("response.output_item.done", output_index=self.message_place, item=item)
        for place, call in self.calls.values():
            yield self._event(
                "response.function_call_arguments.done",
                item_id=f"{CALL}{self.identifier.hex}_{call.id}",
                output_index=place,
                name=call.name,
                arguments=call.arguments,
            )
            yield self._event(
                "response.output_item.done", output_index=place, item=build_call(self.identifier, call)
            )
        body = render_response(self.asked, outcome)
        yield self._event(f"response.{body['status']}", response=body)

    def _fail(self, failure: CompletionError) -> Iterator[bytes]:
        codes = {"rate_limited": "rate_limit_exceeded", "budget_exceeded": "insufficient_quota"}
        error = {"code": codes.get(failure.code, "server_error"), "message": failure.message}
        yield self._event(
            "response.failed", response=build_body(self.asked, self.identifier, "failed", [], error=error)
        )
