"""The agent loop, on pydantic-ai: model, tools, limits, and what comes of them.

`async_to_sync` with asynchronous tools is what keeps the tools on this thread's database connection; see
`docs/explanation/agent-loop.md`. The library is imported where it is used, since that takes seconds.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from django.db import DataError

from agents.runtime.providers import build_model, classify_error
from conversations.choices import MessageRole
from conversations.models import Message
from conversations.runtime.metering import meter_of
from conversations.runtime.turns import MOST_TOKENS, ModelCall, Turn, storable

CITING = (
    "Search with the tool search_knowledge before you answer. Cite a passage as [n] with its number, right after "
    "what rests on it. Say so plainly when the passages do not answer the question."
)
Emit = Callable[[str], None]
logger = logging.getLogger(__name__)


class TurnFailed(RuntimeError):
    """A turn that cannot go on; `code` and `message` are stored with its answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def warm_up() -> None:
    """Import the agent library and the offline model."""
    build_model("extractive", "extractive-1")


def run_turn(turn: Turn, emit: Emit | None = None) -> Message:
    """Let the agent answer and store the outcome; call it outside every scope and transaction.

    Args:
        emit: gets each piece of text as it comes, for streaming.

    Returns:
        The answer, completed, or failed with its `error_code` and `error_message`.
    """
    from pydantic_ai import capture_run_messages

    said: list[str] = []

    def heard(piece: str) -> None:
        piece = storable(piece)
        said.append(piece)
        if emit:
            emit(piece)

    with capture_run_messages() as messages:
        try:
            text = async_to_sync(_answer)(turn, heard if emit else None)
        except Exception as error:  # noqa: BLE001 (whatever went wrong, the turn must not stay open)
            failure = _reason(error)
            return turn.fail(failure.code, failure.message, _calls(messages), "".join(said))
    return _finished(turn, text, _calls(messages))


def _finished(turn: Turn, text: str, calls: list[ModelCall]) -> Message:
    """Store the answer; one that the database refuses must not leave the turn open."""
    try:
        return turn.finish(text, calls)
    except DataError as error:
        logger.warning("answer could not be stored: %s", type(error).__name__)
        return turn.fail("bad_response", "The model's answer could not be stored.", [])


def _reason(error: Exception) -> TurnFailed:
    """Why a turn failed, in words for its people; the log gets the kind of error, never a provider's text."""
    if isinstance(error, TurnFailed):
        return error
    failure = classify_error(error)
    # A provider's exception may quote what was sent to it; one of our own is for us to mend.
    ours = error if failure.kind == "internal" else None
    logger.warning("turn failed: %s (%s)", failure.kind, type(error).__name__, exc_info=ours)
    return TurnFailed(failure.kind, failure.message)


async def _answer(turn: Turn, emit: Emit | None) -> str:
    agent = _agent(turn)
    options: dict[str, Any] = {
        "message_history": _history(turn),
        "usage_limits": _limits(turn),
        "model_settings": {
            "temperature": float(turn.agent.temperature),
            "max_tokens": turn.agent.max_tokens,
        },
    }
    async with asyncio.timeout(turn.agent.timeout):
        if emit is None:
            return str((await agent.run(turn.question, **options)).output)
        return await _streamed(agent, turn, options, emit)


async def _streamed(agent: Any, turn: Turn, options: dict[str, Any], emit: Emit) -> str:
    from pydantic_ai import AgentRunResultEvent, PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta

    output = ""
    async with agent.run_stream_events(turn.question, **options) as events:
        async for event in events:
            if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart) and event.part.content:
                emit(event.part.content)
            elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                emit(event.delta.content_delta)
            elif isinstance(event, AgentRunResultEvent):
                output = str(event.result.output)
    return output


def _agent(turn: Turn) -> Any:
    from pydantic_ai import Agent, Tool

    async def search_knowledge(query: str) -> list[dict[str, Any]]:
        """Search what you know. Returns numbered passages, best first.

        Args:
            query: what to look for, in words.
        """
        try:
            return await sync_to_async(turn.search)(query)
        except Exception as error:
            logger.exception("search failed")
            raise TurnFailed("search_failed", "The knowledge could not be searched.") from error

    return Agent(
        _model(turn),
        instructions=f"{turn.agent.system_prompt}\n\n{CITING}",
        tools=[Tool(search_knowledge)],
        retries=1,
    )


def _model(turn: Turn) -> Any:
    from agents.runtime.routing import model_for

    if turn.integration and turn.integration.platform != turn.agent.model_provider:
        # Whoever edits agents must not send an account's key to another provider.
        raise TurnFailed("misconfigured", "The agent's integration belongs to another provider.")
    try:
        return model_for(turn.agent, turn.api_key, meter_of(turn))
    except ValueError as error:
        raise TurnFailed("misconfigured", f"The agent's model is not set up: {error}.") from error


def _limits(turn: Turn) -> Any:
    from pydantic_ai import UsageLimits

    return UsageLimits(request_limit=turn.agent.max_iterations)


def _history(turn: Turn) -> list[Any]:
    from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, UserPromptPart

    return [
        ModelRequest(parts=[UserPromptPart(content)])
        if role == MessageRole.USER
        else ModelResponse(parts=[TextPart(content)])
        for role, content in turn.history
    ]


def _calls(messages: list[Any]) -> list[ModelCall]:
    """The model's requests in this turn; those of the history used nothing now."""
    return [
        ModelCall(
            storable(message.model_name or ""),
            _counted(message.usage.input_tokens),
            _counted(message.usage.output_tokens),
        )
        for message in messages
        if message.kind == "response" and message.usage.total_tokens
    ]


def _counted(tokens: int) -> int:
    return max(0, min(tokens, MOST_TOKENS))
