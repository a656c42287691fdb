"""POST /v1/responses. A response is a stored answer; `previous_response_id` continues its conversation."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http.response import HttpResponseBase
from pydantic import Field

from config.api.exceptions import Problem
from config.db.ids import uuid7_time
from conversations.api.compat import CompatView, encode_event
from conversations.api.parameters import ITEM, REASONING, RESPONSES
from conversations.api.streaming import KEEP_ALIVE
from conversations.api.wire_models import CompatError, WireModel, validate_schema
from conversations.completions.history import find_stored_answer, load_chat_history
from conversations.completions.types import (
    ChatMessage,
    Completion,
    CompletionError,
    CompletionEvent,
    CompletionRequest,
    TextDelta,
    TokenUsage,
    ToolCall,
    ToolCallDelta,
)
from conversations.models import Message

from .errors import error_body
from .schemas import (
    JSON_ONLY,
    ContentPartParam,
    Effort,
    FunctionParam,
    JsonSchema,
    Name,
    Sampling,
    Verbosity,
    parse_content,
    to_tool,
)

# Value of `include` that requests log probabilities.
LOGPROBS = "message.output_text.logprobs"


class Item(WireModel):
    table = ITEM

    id: str | None = None
    type: str = "message"
    role: Literal["user", "assistant", "system", "developer"] | None = None
    content: str | list[ContentPartParam] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | list[ContentPartParam] | None = None


class FunctionTool(FunctionParam):
    type: Literal["function"]


class NamedFunction(WireModel):
    type: Literal["function"]
    name: Name


class Format(JsonSchema):
    type: Literal["text", "json_object", "json_schema"] = "text"


class Text(WireModel):
    format: Format | None = None
    verbosity: Verbosity | None = None


class Reasoning(WireModel):
    table = REASONING

    effort: Effort | None = None


class ResponseRequest(Sampling):
    table = RESPONSES

    input: str | list[Item] = Field(default_factory=list)
    instructions: str | None = None
    previous_response_id: str | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: Literal["auto", "none", "required"] | NamedFunction | None = None
    text: Text | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    include: list[str] | None = None
    reasoning: Reasoning | None = None


def to_completion_request(asked: ResponseRequest, before: tuple[ChatMessage, ...]) -> CompletionRequest:
    """Convert the request to a completion request, with the messages `before` it."""
    items = [Item(role="user", content=asked.input)] if isinstance(asked.input, str) else asked.input
    spoken = [
        _to_chat_message(item)
        for item in items
        if item.role not in ("system", "developer") and item.type != "reasoning"
    ]
    instructions = [parse_content(item.content)[0] for item in items if item.role in ("system", "developer")]
    messages = (*before, *_merge_calls(spoken))
    if not spoken or messages[-1].role == "assistant":
        raise CompatError("input", "The input must end with a user message or a tool result.")
    shape = asked.text.format if asked.text else None
    json_object = bool(shape and shape.type == "json_object")
    if json_object:
        instructions.append(JSON_ONLY)
    structured = shape if shape and shape.type == "json_schema" else None
    chosen = asked.tool_choice or "auto"
    return CompletionRequest(
        model=asked.model,
        messages=messages,
        instructions="\n\n".join([asked.instructions or "", *instructions]).strip(),
        tools=tuple(to_tool(tool) for tool in asked.tools or ()),
        choice=chosen.name if isinstance(chosen, NamedFunction) else chosen,
        **(structured.members() if structured else {}),
        json_object=json_object,
        is_stored=asked.store is not False,
        settings=_settings(asked),
        names={"effort": "reasoning.effort", "verbosity": "text.verbosity", "logprobs": "include"},
        origin={"source": "openai.responses", "model": asked.model, "client_metadata": asked.metadata or {}},
    )


def _settings(asked: ResponseRequest) -> dict[str, Any]:
    return asked.sampling(
        max_tokens=asked.max_output_tokens,
        logprobs=LOGPROBS in (asked.include or ()) or None,
        effort=asked.reasoning.effort if asked.reasoning else None,
        verbosity=asked.text.verbosity if asked.text else None,
    )


def _to_chat_message(item: Item) -> ChatMessage:
    if item.type == "message" and item.role:
        text, images = parse_content(item.content)
        if images and item.role != "user":
            raise CompatError("input", "Only messages with the role user can contain images.")
        return ChatMessage(item.role, text, images)
    if item.type == "function_call" and item.call_id and item.name:
        return ChatMessage("assistant", calls=(ToolCall(item.call_id, item.name, item.arguments or "{}"),))
    if item.type == "function_call_output" and item.call_id:
        text, images = parse_content(item.output)
        if images:
            raise CompatError("input", "Images in tool results are not supported.")
        return ChatMessage("tool", text, call_id=item.call_id)
    raise CompatError("input", f"An input item of type {item.type} is unsupported or incomplete.")


def _merge_calls(spoken: list[ChatMessage]) -> list[ChatMessage]:
    """Merge consecutive tool calls into one message of the model."""
    merged: list[ChatMessage] = []
    for message in spoken:
        last = merged[-1] if merged else None
        if last and last.role == message.role == "assistant":
            merged[-1] = ChatMessage(
                "assistant", last.text + message.text, calls=(*last.calls, *message.calls)
            )
        else:
            merged.append(message)
    return merged


class ResponsesView(CompatView):
    """A response from an agent or from a model of a tenant integration."""

    dialect = staticmethod(error_body)
    messages_parameter = "input"

    def post(self, request: Any) -> HttpResponseBase:
        """Create a response, complete or as server-sent events."""
        body = validate_schema(ResponseRequest, request.data)
        after, before = self._load_previous(body.previous_response_id)
        return self.answer(
            to_completion_request(body, before),
            lambda completion: _render(body, completion),
            lambda stream: _StreamEncoder(stream.answer_id, body).encode(stream.events),
            is_streamed=body.stream,
            after=after,
        )

    def _load_previous(self, name: str | None) -> tuple[Message | None, tuple[ChatMessage, ...]]:
        if name is None:
            return None, ()
        self.require("conversations", "read")
        try:
            identifier = UUID(name.removeprefix("resp_"))
        except ValueError:
            identifier = None
        with self.scoped():
            found = find_stored_answer(identifier, self.credential.user_id) if identifier else None
            if found is not None:
                return found[1], load_chat_history(found[1])
        raise ResponseNotFoundError(name)


class ResponseNotFoundError(Problem):
    status_code = 404
    default_code = "previous_response_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"Previous response with id '{name}' not found.", parameter="previous_response_id")


# --- objects -----------------------------------------------------------------------------------------------


def _build_body(
    asked: ResponseRequest, identifier: UUID, status: str, output: list[Any], **further: Any
) -> dict[str, Any]:
    created = int(uuid7_time(identifier).timestamp())
    return {
        "id": f"resp_{identifier.hex}",
        "object": "response",
        "created_at": created,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": asked.instructions,
        "max_output_tokens": asked.max_output_tokens,
        "metadata": asked.metadata or {},
        "model": asked.model,
        "output": output,
        "parallel_tool_calls": asked.parallel_tool_calls is not False,
        "previous_response_id": asked.previous_response_id,
        "temperature": asked.temperature,
        "text": asked.text.model_dump(by_alias=True, exclude_none=True)
        if asked.text
        else {"format": {"type": "text"}},
        "tool_choice": asked.tool_choice if isinstance(asked.tool_choice, str) else "auto",
        "tools": [tool.model_dump() for tool in asked.tools or ()],
        "top_p": asked.top_p,
        "usage": None,
        **further,
    }


def _render(asked: ResponseRequest, outcome: Completion) -> dict[str, Any]:
    identifier = outcome.answer_id
    output = (
        [_build_message(identifier, outcome.text, outcome.logprobs)]
        if outcome.text or not outcome.calls
        else []
    )
    output += [_build_call(call) for call in outcome.calls]
    cut = outcome.finish in ("length", "content_filter")
    reasons = {"length": "max_output_tokens", "content_filter": "content_filter"}
    details = {"incomplete_details": {"reason": reasons[outcome.finish]}} if cut else {}
    status = "incomplete" if cut else "completed"
    return _build_body(asked, identifier, status, output, usage=_usage(outcome.used), **details)


def _usage(used: TokenUsage) -> dict[str, Any]:
    return {
        "input_tokens": used.input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": used.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": used.total,
    }


def _build_message(
    identifier: UUID, text: str | None, logprobs: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Return the message of a response, without text while it is streamed."""
    content = [] if text is None else [_build_text(text, logprobs)]
    return {
        "id": f"msg_{identifier.hex}",
        "type": "message",
        "status": "in_progress" if text is None else "completed",
        "role": "assistant",
        "content": content,
    }


def _build_text(text: str, logprobs: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs or []}


def _build_call(call: ToolCall, status: str = "completed") -> dict[str, Any]:
    return {
        "id": f"fc_{call.id}",
        "type": "function_call",
        "status": status,
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
    }


class _StreamEncoder:
    """Numbered events of a streamed response; items open and close in order."""

    def __init__(self, identifier: UUID, asked: ResponseRequest) -> None:
        self.identifier, self.asked = identifier, asked
        self.number, self.text, self.calls = -1, "", dict[int, tuple[int, ToolCall]]()
        self.message_place: int | None = None
        self.places = 0

    def encode(self, events: Iterator[CompletionEvent]) -> Iterator[bytes]:
        """Yield the encoded events of the stream."""
        opened = _build_body(self.asked, self.identifier, "in_progress", [])
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
            "item_id": f"msg_{self.identifier.hex}",
            "output_index": self.message_place,
            "content_index": 0,
        }

    def _say(self, piece: str) -> Iterator[bytes]:
        if self.message_place is None:
            self.message_place = self._place()
            item = _build_message(self.identifier, None)
            yield self._event("response.output_item.added", output_index=self.message_place, item=item)
            yield self._event("response.content_part.added", **self._part, part=_build_text(""))
        self.text += piece
        yield self._event("response.output_text.delta", **self._part, delta=piece, logprobs=[])

    def _call(self, piece: ToolCallDelta) -> Iterator[bytes]:
        if piece.index not in self.calls:
            place, call = self._place(), ToolCall(piece.id, piece.name, "")
            yield self._event(
                "response.output_item.added", output_index=place, item=_build_call(call, "in_progress")
            )
        else:
            place, call = self.calls[piece.index]
        call = ToolCall(call.id, call.name, call.arguments + piece.arguments)
        self.calls[piece.index] = (place, call)
        if piece.arguments:
            yield self._event(
                "response.function_call_arguments.delta",
                item_id=f"fc_{call.id}",
                output_index=place,
                delta=piece.arguments,
            )

    def _end(self, outcome: Completion) -> Iterator[bytes]:
        if self.message_place is not None:
            yield self._event("response.output_text.done", **self._part, text=self.text, logprobs=[])
            yield self._event("response.content_part.done", **self._part, part=_build_text(self.text))
            item = _build_message(self.identifier, self.text)
            yield self._event("response.output_item.done", output_index=self.message_place, item=item)
        for place, call in self.calls.values():
            yield self._event(
                "response.function_call_arguments.done",
                item_id=f"fc_{call.id}",
                output_index=place,
                name=call.name,
                arguments=call.arguments,
            )
            yield self._event("response.output_item.done", output_index=place, item=_build_call(call))
        body = _render(self.asked, outcome)
        yield self._event(f"response.{body['status']}", response=body)

    def _fail(self, failure: CompletionError) -> Iterator[bytes]:
        codes = {"rate_limited": "rate_limit_exceeded", "budget_exceeded": "insufficient_quota"}
        error = {"code": codes.get(failure.code, "server_error"), "message": failure.message}
        yield self._event(
            "response.failed", response=_build_body(self.asked, self.identifier, "failed", [], error=error)
        )
