"""Runs completion requests on Pydantic AI, with or without an agent.

Import this module lazily: it imports Pydantic AI, which takes seconds.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from pydantic_ai import (
    AgentRunResultEvent,
    DeferredToolRequests,
    ExternalToolset,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
    ToolDefinition,
    UsageLimits,
)
from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.instrumented import instrument_model
from pydantic_ai.output import OutputObjectDefinition

from agents.runtime.providers import classify_error
from config.observability.tracing import instrumentation
from conversations.runtime import loop
from conversations.runtime.failures import require_bounded
from conversations.runtime.wishes import Call, CallPiece, Event, Said, TextPiece, Wish, WishFailed

if TYPE_CHECKING:
    from conversations.runtime.exchanges import Exchange

Emit = Callable[[Event], None]
Answer = tuple[str, tuple[Call, ...], str]
logger = logging.getLogger(__name__)


async def ask(exchange: "Exchange", emit: Emit | None) -> Answer:
    """Return text, client tool calls and finish reason; pass stream events to `emit`."""
    async with asyncio.timeout(exchange.turn.agent.timeout):
        text, calls, finish = await (_bare if exchange.turn.is_bare else _agent)(exchange, emit)
    require_bounded(len(text) + sum(len(call.arguments) for call in calls))
    return text, calls, finish


def reason(error: Exception) -> WishFailed:
    """Convert an exception to a user-facing error.

    Log the kind of error only: a provider's text may quote what was sent to it.
    """
    if isinstance(error, loop.TurnFailed):
        return WishFailed(error.code, error.message)
    failure = classify_error(error)
    ours = error if failure.kind == "internal" else None
    logger.warning("answer failed: %s (%s)", failure.kind, type(error).__name__, exc_info=ours)
    return WishFailed(failure.kind, failure.message, retryable=failure.retryable)


# --- model without an agent ----------------------------------------------------------------------------------------


async def _bare(exchange: "Exchange", emit: Emit | None) -> Answer:
    wish, model = exchange.wish, instrument_model(loop._model(exchange.turn), instrumentation())
    options: dict[str, Any] = {
        "model_settings": _settings(wish),
        "model_request_parameters": _parameters(wish),
    }
    messages = _instructed(history(wish), wish)
    if emit is None:
        return _read(await model_request(model, messages, **options))
    pieces = _Pieces(emit)
    async with model_request_stream(model, messages, **options) as stream:
        async for event in stream:
            pieces.take(event)
    return _read(stream.get())


def _settings(wish: Wish) -> Any:
    choice = {"tool_choice": wish.choice if wish.choice in CHOICES else [wish.choice]} if wish.tools else {}
    return {**wish.settings, **choice}


CHOICES = ("auto", "none", "required")


def _parameters(wish: Wish) -> ModelRequestParameters:
    output: dict[str, Any] = {}
    if wish.schema is not None:
        shape = OutputObjectDefinition(json_schema=wish.schema, name=wish.schema_name, strict=True)
        output = {"output_mode": "native", "output_object": shape}
    return ModelRequestParameters(function_tools=_definitions(wish), allow_text_output=True, **output)


def _definitions(wish: Wish) -> list[ToolDefinition]:
    return [
        ToolDefinition(
            name=tool.name,
            description=tool.description or None,
            parameters_json_schema=tool.schema,
            strict=tool.strict,
        )
        for tool in wish.tools
    ]


class _Pieces:
    """Converts Pydantic AI stream events; numbers tool calls in order of their parts."""

    def __init__(self, emit: Emit) -> None:
        self.emit, self.calls, self.length = emit, dict[int, int](), 0

    def take(self, event: Any) -> None:
        if isinstance(event, PartStartEvent):
            self._begin(event.index, event.part)
        elif isinstance(event, PartDeltaEvent):
            delta = event.delta
            if isinstance(delta, TextPartDelta):
                self._say(delta.content_delta)
            elif isinstance(delta, ToolCallPartDelta) and event.index in self.calls and delta.args_delta:
                self._call(CallPiece(self.calls[event.index], _text(delta.args_delta)))

    def _begin(self, index: int, part: Any) -> None:
        if isinstance(part, TextPart):
            self._say(part.content)
        elif isinstance(part, ToolCallPart):
            place = self.calls.setdefault(index, len(self.calls))
            arguments = _text(part.args) if part.args else ""
            self._call(CallPiece(place, arguments, part.tool_call_id, part.tool_name))

    def _say(self, text: str) -> None:
        if text:
            self._count(text)
            self.emit(TextPiece(text))

    def _call(self, piece: CallPiece) -> None:
        self._count(piece.arguments)
        self.emit(piece)

    def _count(self, text: str) -> None:
        self.length += len(text)
        require_bounded(self.length)


def _read(response: ModelResponse) -> Answer:
    text = "".join(part.content for part in response.parts if isinstance(part, TextPart))
    calls = tuple(_call(part) for part in response.parts if isinstance(part, ToolCallPart))
    return text, calls, "tool_call" if calls else _finish(response)


def _finish(response: ModelResponse | None) -> str:
    known = response.finish_reason if response else None
    return known if known in ("length", "content_filter") else "stop"


def _call(part: ToolCallPart) -> Call:
    return Call(part.tool_call_id, part.tool_name, _text(part.args) if part.args else "{}")


def _text(arguments: str | dict[str, Any]) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


# --- agent --------------------------------------------------------------------------------------------


async def _agent(exchange: "Exchange", emit: Emit | None) -> Answer:
    wish, turn = exchange.wish, exchange.turn
    # On the turn's thread, because resolving its tools reads the database.
    agent = await sync_to_async(loop._agent)(turn)
    options: dict[str, Any] = {
        "message_history": history(wish),
        "usage_limits": UsageLimits(request_limit=turn.agent.max_iterations),
        "model_settings": {
            "temperature": float(turn.agent.temperature),
            "max_tokens": turn.agent.max_tokens,
            **wish.settings,
        },
        **_extras(wish),
    }
    if emit is None:
        return _ended(await agent.run(None, **options))
    result, pieces = None, _Pieces(emit)
    async with agent.run_stream_events(None, **options) as events:
        async for event in events:
            if isinstance(event, AgentRunResultEvent):
                result = event.result
            elif turn.schema is None and not _is_call(event):
                pieces.take(event)
    return _told(_ended(result), emit, whole=turn.schema is not None)


def _is_call(event: Any) -> bool:
    """Whether the event belongs to a tool call.

    Calls of the agent's tools are hidden from the client; calls of the client's tools are sent at the end.
    """
    return isinstance(getattr(event, "part", None), ToolCallPart) or isinstance(
        getattr(event, "delta", None), ToolCallPartDelta
    )


def _told(answer: Answer, emit: Emit, *, whole: bool) -> Answer:
    text, calls, _ = answer
    if whole and text:
        emit(TextPiece(text))
    for place, call in enumerate(calls):
        emit(CallPiece(place, call.arguments, call.id, call.name))
    return answer


def _extras(wish: Wish) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    if wish.instructions:
        extras["instructions"] = wish.instructions
    if wish.tools and wish.choice != "none":
        extras["toolsets"] = [ExternalToolset(_definitions(wish))]
    return extras


def _ended(result: Any) -> Answer:
    responses = [message for message in result.all_messages() if isinstance(message, ModelResponse)]
    last = responses[-1] if responses else None
    if isinstance(result.output, DeferredToolRequests):
        if result.output.approvals:
            raise loop.TurnFailed(
                "approval_needed",
                "The agent called a tool that requires approval, which this API does not support.",
            )
        text, _, _ = _read(last) if last else ("", (), "")
        return text, tuple(_call(part) for part in result.output.calls), "tool_call"
    text = result.output if isinstance(result.output, str) else json.dumps(result.output, ensure_ascii=False)
    return text, (), _finish(last)


# --- message history --------------------------------------------------------------------------------


def history(wish: Wish) -> list[ModelMessage]:
    """Convert the client's messages; merge adjacent user and tool messages into one request."""
    names = {call.id: call.name for said in wish.messages for call in said.calls}
    messages: list[ModelMessage] = []
    for said in wish.messages:
        if said.role == "assistant":
            messages.append(_answered(said))
        elif messages and isinstance(messages[-1], ModelRequest):
            messages[-1] = ModelRequest(parts=[*messages[-1].parts, _asked(said, names)])
        else:
            messages.append(ModelRequest(parts=[_asked(said, names)]))
    return messages


def _instructed(messages: list[ModelMessage], wish: Wish) -> list[ModelMessage]:
    """Put the client's instructions on the last request, where the model reads them."""
    if wish.instructions and messages and isinstance(messages[-1], ModelRequest):
        messages[-1] = ModelRequest(parts=messages[-1].parts, instructions=wish.instructions)
    return messages


def _answered(said: Said) -> ModelResponse:
    parts: list[Any] = [TextPart(said.text)] if said.text else []
    parts += [ToolCallPart(call.name, call.arguments, call.id) for call in said.calls]
    return ModelResponse(parts=parts)


def _asked(said: Said, names: dict[str, str]) -> Any:
    if said.role == "tool":
        return ToolReturnPart(said.name or names.get(said.call_id, "tool"), said.text, said.call_id)
    if not said.images:
        return UserPromptPart(said.text)
    images = [BinaryContent(image.data, media_type=image.media_type) for image in said.images]
    return UserPromptPart([said.text, *images] if said.text else images)
