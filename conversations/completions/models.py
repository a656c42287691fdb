"""Runs completion requests on Pydantic AI, with or without an agent.

Import this module lazily: it imports Pydantic AI, which takes seconds.
"""

import asyncio
import json
import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from pydantic_ai import (
    AgentRunResultEvent,
    DeferredToolRequests,
    ExternalToolset,
    ModelRetry,
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
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.instrumented import instrument_model
from pydantic_ai.output import OutputObjectDefinition

from agents.runtime.client_schemas import CLIENT_SCHEMA, CLIENT_TOOL_CHOICE, JSON_OBJECT
from agents.runtime.providers import classify_error
from config.observability.tracing import instrumentation
from conversations.completions.answer_format import find_format_error
from conversations.completions.model_messages import add_instructions, to_model_messages
from conversations.completions.types import (
    CompletionError,
    CompletionRequest,
    EmitEvent,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    build_deltas,
)
from conversations.runtime import loop
from conversations.runtime.exceptions import check_answer_length

if TYPE_CHECKING:
    from conversations.completions.turns import CompletionTurn

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """The answer of a model or an agent, with the calls of client tools."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    finish: str = "stop"
    logprobs: list[dict[str, Any]] | None = None


async def request_completion(turn: "CompletionTurn", emit: EmitEvent | None) -> ModelAnswer:
    """Return the answer; pass stream events to `emit`.

    Raises:
        TurnError: the answer does not have the requested format.
    """
    run = _run_agent if turn.uses_agent else _run_model
    async with asyncio.timeout(turn.context.agent.timeout):
        answer = await run(turn, emit)
    check_answer_length(len(answer.text) + sum(len(call.arguments) for call in answer.calls))
    if answer.finish == "stop" and (problem := find_format_error(turn.request, answer.text)):
        raise loop.TurnError("bad_response", problem)
    return answer


def to_completion_error(error: Exception) -> CompletionError:
    """Convert an exception to a user-facing error.

    Log the kind of error only: a provider's text may quote what was sent to it.
    """
    if isinstance(error, loop.TurnError):
        return CompletionError(error.code, error.message)
    failure = classify_error(error)
    ours = error if failure.kind == "internal" else None
    logger.warning("answer failed: %s (%s)", failure.kind, type(error).__name__, exc_info=ours)
    return CompletionError(failure.kind, failure.message, retryable=failure.retryable)


# --- model without an agent ----------------------------------------------------------------------------------------


async def _run_model(turn: "CompletionTurn", emit: EmitEvent | None) -> ModelAnswer:
    request, model = turn.request, instrument_model(loop.build_turn_model(turn.context), instrumentation())
    options: dict[str, Any] = {
        "model_settings": _build_model_settings(turn),
        "model_request_parameters": _build_request_parameters(request),
    }
    messages = add_instructions(to_model_messages(request), request)
    if emit is None:
        return _parse_response(await model_request(model, messages, **options))
    pieces = _DeltaEmitter(emit)
    async with model_request_stream(model, messages, **options) as stream:
        async for event in stream:
            pieces.take(event)
    return _parse_response(stream.get())


def _build_model_settings(turn: "CompletionTurn") -> Any:
    request, settings = turn.request, dict(turn.settings)
    if request.tools:
        settings["tool_choice"] = request.choice if request.choice in TOOL_CHOICES else [request.choice]
    if request.json_object:
        settings[JSON_OBJECT] = True
    return settings


TOOL_CHOICES = ("auto", "none", "required")


def _build_request_parameters(request: CompletionRequest) -> ModelRequestParameters:
    output: dict[str, Any] = {}
    if request.schema is not None:
        shape = OutputObjectDefinition(
            json_schema=request.schema,
            name=request.schema_name,
            description=request.schema_description or None,
            strict=request.schema_strict,
        )
        output = {"output_mode": "native", "output_object": shape}
    return ModelRequestParameters(
        function_tools=_build_tool_definitions(request), allow_text_output=True, **output
    )


def _build_tool_definitions(request: CompletionRequest) -> list[ToolDefinition]:
    return [
        ToolDefinition(
            name=tool.name,
            description=tool.description or None,
            parameters_json_schema=tool.schema,
            strict=tool.strict,
            metadata=CLIENT_SCHEMA,
        )
        for tool in request.tools
    ]


class _DeltaEmitter:
    """Converts Pydantic AI stream events; numbers tool calls in order of their parts."""

    def __init__(self, emit: EmitEvent) -> None:
        self.emit, self.calls, self.length = emit, dict[int, int](), 0

    def take(self, event: Any) -> None:
        if isinstance(event, PartStartEvent):
            self._begin(event.index, event.part)
        elif isinstance(event, PartDeltaEvent):
            delta = event.delta
            if isinstance(delta, TextPartDelta):
                self._say(delta.content_delta)
            elif isinstance(delta, ToolCallPartDelta) and event.index in self.calls and delta.args_delta:
                self._call(ToolCallDelta(self.calls[event.index], _to_arguments_json(delta.args_delta)))

    def _begin(self, index: int, part: Any) -> None:
        if isinstance(part, TextPart):
            self._say(part.content)
        elif isinstance(part, ToolCallPart):
            place = self.calls.setdefault(index, len(self.calls))
            arguments = _to_arguments_json(part.args) if part.args else ""
            self._call(ToolCallDelta(place, arguments, part.tool_call_id, part.tool_name))

    def _say(self, text: str) -> None:
        if text:
            self._count(text)
            self.emit(TextDelta(text))

    def _call(self, piece: ToolCallDelta) -> None:
        self._count(piece.arguments)
        self.emit(piece)

    def _count(self, text: str) -> None:
        self.length += len(text)
        check_answer_length(self.length)


def _parse_response(response: ModelResponse) -> ModelAnswer:
    text = "".join(part.content for part in response.parts if isinstance(part, TextPart))
    calls = tuple(_to_tool_call(part) for part in response.parts if isinstance(part, ToolCallPart))
    finish = "tool_call" if calls else _get_finish_reason(response)
    return ModelAnswer(text, calls, finish, _get_logprobs(response))


def _get_logprobs(response: ModelResponse | None) -> list[dict[str, Any]] | None:
    return (response.provider_details or {}).get("logprobs") if response else None


def _get_finish_reason(response: ModelResponse | None) -> str:
    known = response.finish_reason if response else None
    return known if known in ("length", "content_filter") else "stop"


def _to_tool_call(part: ToolCallPart) -> ToolCall:
    return ToolCall(part.tool_call_id, part.tool_name, _to_arguments_json(part.args) if part.args else "{}")


def _to_arguments_json(arguments: str | dict[str, Any]) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


# --- agent --------------------------------------------------------------------------------------------


async def _run_agent(turn: "CompletionTurn", emit: EmitEvent | None) -> ModelAnswer:
    request, context = turn.request, turn.context
    # On the turn's thread, because resolving its tools reads the database.
    agent = await sync_to_async(loop.build_agent)(context)
    if request.json_object:
        agent.output_validator(partial(_check_json_object, request))
    # Text that may still be corrected is not streamed.
    whole = context.schema is not None or request.json_object
    options: dict[str, Any] = {
        "message_history": to_model_messages(request),
        "usage_limits": UsageLimits(request_limit=context.agent.max_iterations),
        "model_settings": {
            "temperature": float(context.agent.temperature),
            "max_tokens": context.agent.max_tokens,
            **_build_agent_settings(turn),
        },
        **_build_agent_options(request),
    }
    if emit is None:
        return _parse_result(await agent.run(None, **options))
    result, pieces = None, _DeltaEmitter(emit)
    async with agent.run_stream_events(None, **options) as events:
        async for event in events:
            if isinstance(event, AgentRunResultEvent):
                result = event.result
            elif not whole and not _is_tool_call_event(event):
                pieces.take(event)
    answer = _parse_result(result)
    for delta in build_deltas(answer.text if whole else "", answer.calls):
        emit(delta)
    return answer


def _is_tool_call_event(event: Any) -> bool:
    """Whether the event belongs to a tool call.

    Calls of the agent's tools are hidden from the client; calls of the client's tools are sent at the end.
    """
    return isinstance(getattr(event, "part", None), ToolCallPart) or isinstance(
        getattr(event, "delta", None), ToolCallPartDelta
    )


async def _check_json_object(request: CompletionRequest, output: Any) -> Any:
    """Ask the model to correct an answer that is not a JSON object."""
    if isinstance(output, str) and (problem := find_format_error(request, output)):
        raise ModelRetry(problem)
    return output


def _build_agent_settings(turn: "CompletionTurn") -> dict[str, Any]:
    """Return the client's settings; `required` refers to the client's tools."""
    settings = _build_model_settings(turn)
    choice = settings.pop("tool_choice", None)
    if choice == "required":
        settings[CLIENT_TOOL_CHOICE] = [tool.name for tool in turn.request.tools]
    elif isinstance(choice, list):
        settings[CLIENT_TOOL_CHOICE] = choice
    return settings


def _build_agent_options(request: CompletionRequest) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    if request.instructions:
        extras["instructions"] = request.instructions
    if request.tools and request.choice != "none":
        extras["toolsets"] = [ExternalToolset(_build_tool_definitions(request))]
    return extras


def _parse_result(result: Any) -> ModelAnswer:
    responses = [message for message in result.all_messages() if isinstance(message, ModelResponse)]
    last = responses[-1] if responses else None
    if isinstance(result.output, DeferredToolRequests):
        if result.output.approvals:
            raise loop.TurnError(
                "approval_needed",
                "The agent called a tool that requires approval, which this API does not support.",
            )
        calls = tuple(_to_tool_call(part) for part in result.output.calls)
        return ModelAnswer(_parse_response(last).text if last else "", calls, "tool_call")
    text = result.output if isinstance(result.output, str) else json.dumps(result.output, ensure_ascii=False)
    return ModelAnswer(text, (), _get_finish_reason(last), _get_logprobs(last))
