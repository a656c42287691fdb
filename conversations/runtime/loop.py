"""The agent loop on Pydantic AI: model, tools, limits and result.

`async_to_sync` with asynchronous tools keeps the tools on this thread's database connection; see
`docs/explanation/agent-loop.md`. Pydantic AI is imported lazily because importing it takes seconds.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from django.db import DataError

from agents.runtime.providers import build_model, classify_error
from config.observability.tracing import about, instrumentation
from conversations.choices import MessageRole, MessageStatus
from conversations.models import Message
from conversations.runtime.approvals import TurnParked, answer_of, decisions, output_type, park
from conversations.runtime.citing import Citing
from conversations.runtime.failures import TurnFailed, require_bounded
from conversations.runtime.journal import storable
from conversations.runtime.keeper import keeper
from conversations.runtime.metering import meter_of
from conversations.runtime.structure import misfit
from conversations.runtime.toolset import toolset_for
from conversations.runtime.turns import MOST_TOKENS, ModelCall, Turn
from conversations.services.leases import LeaseLost

SEARCHING = "Search with the tool search_knowledge before you answer."
CITING = (
    "Cite a passage as [n] with its number, right after what rests on it. "
    "Say so plainly when the passages do not answer the question."
)
POLL_SECONDS = 0.5
Emit = Callable[[str], None]
logger = logging.getLogger(__name__)


def warm_up() -> None:
    """Import the agent library and the offline model."""
    build_model("extractive", "extractive-1")


def run_turn(turn: Turn, emit: Emit | None = None) -> Message:
    """Run the agent and store its answer. Call it outside any scope and transaction.

    Args:
        emit: called with each text fragment, for streaming.

    Returns:
        The completed answer, or the failed one with its `error_code` and `error_message`.
    """
    if emit:
        turn.show()
    with ExitStack() as stack:
        stack.enter_context(keeper.holding(turn.lease))
        if turn.live:
            stack.enter_context(keeper.showing(turn.live))
        answer = None
        try:
            answer = _answered(turn, emit)
        except LeaseLost:
            logger.warning("another process took over the answer")
        finally:
            if turn.live:
                turn.live.end(answer)
    return answer or _of_another(turn)


def _answered(turn: Turn, emit: Emit | None) -> Message:
    from pydantic_ai import capture_run_messages

    saying = Saying(turn, emit) if turn.live else None
    with capture_run_messages() as messages:
        try:
            with about_turn(turn):
                text = async_to_sync(_answer)(turn, saying)
        except LeaseLost:
            raise
        except TurnParked as parked:
            return park(turn, parked)
        except Exception as error:  # noqa: BLE001 (the turn must not stay open)
            failure = _reason(error)
            said = turn.live.text if turn.live else ""
            return turn.fail(failure.code, failure.message, _calls(messages), said)
    return _finished(turn, text, _calls(messages))


def about_turn(turn: Turn) -> AbstractContextManager[None]:
    """Attach the turn's ids to the spans and log lines of the block."""
    return about(
        tenant_id=turn.caller.tenant_id, conversation_id=turn.conversation_id, agent_id=turn.agent.pk
    )


def _of_another(turn: Turn) -> Message:
    """Wait until another process finishes the answer, up to the agent's timeout."""
    end = time.monotonic() + turn.agent.timeout
    while True:
        with turn.caller.scope():
            answer = Message.objects.younger_than(turn.conversation_id).get(pk=turn.answer_id)
        if answer.status != MessageStatus.PENDING or time.monotonic() > end:
            return answer
        time.sleep(POLL_SECONDS)


def _finished(turn: Turn, text: str, calls: list[ModelCall]) -> Message:
    """Store the answer, or a failure when the database rejects its data."""
    try:
        return turn.finish(text, calls)
    except DataError as error:
        logger.warning("answer could not be stored: %s", type(error).__name__)
        return turn.fail("bad_response", "The model's answer could not be stored.", [])


def _reason(error: Exception) -> TurnFailed:
    """Convert an exception to a user-facing error; log its kind only."""
    if isinstance(error, TurnFailed):
        return error
    failure = classify_error(error)
    # A provider's exception may quote what was sent to it, so only internal errors are logged in full.
    ours = error if failure.kind == "internal" else None
    logger.warning("turn failed: %s (%s)", failure.kind, type(error).__name__, exc_info=ours)
    return TurnFailed(failure.kind, failure.message)


async def _answer(turn: Turn, saying: "Saying | None") -> str:
    from pydantic_ai.messages import ModelMessagesTypeAdapter
    from pydantic_ai.usage import RunUsage

    # On the turn's thread, because resolving its tools reads the database.
    agent, journal = await sync_to_async(_agent)(turn), turn.journal
    earlier = ModelMessagesTypeAdapter.validate_python([*journal.parked, *journal.messages])
    options: dict[str, Any] = {
        # A parked turn's messages include its history.
        "message_history": earlier if journal.parked else [*_history(turn), *earlier],
        "usage_limits": _limits(turn),
        "usage": RunUsage(requests=journal.responses),
        "model_settings": {
            "temperature": float(turn.agent.temperature),
            "max_tokens": turn.agent.max_tokens,
        },
    }
    if journal.parked and not journal.messages:
        options["deferred_tool_results"] = await sync_to_async(decisions)(turn)
    async with (
        asyncio.timeout(turn.agent.timeout),
        agent.iter(None if earlier else turn.question, **options) as run,
    ):
        kept = 0
        async for node in run:
            if agent.is_call_tools_node(node) and node.model_response.tool_calls:
                new = run.new_messages()[kept:]
                kept += len(new)
                if new:
                    await sync_to_async(turn.keep_messages)(
                        ModelMessagesTypeAdapter.dump_python(new, mode="json")
                    )
            elif agent.is_model_request_node(node):
                if turn.between:
                    await sync_to_async(turn.between)()
                if saying and turn.schema is None:
                    await saying.listen(node, run.ctx)
        text = answer_of(run.result)
        require_bounded(len(text))
        return text


class Saying:
    """Streams a turn's text with its final citation numbers."""

    def __init__(self, turn: Turn, emit: Emit | None) -> None:
        self.turn, self.emit = turn, emit

    async def listen(self, node: Any, context: Any) -> None:
        """Stream one model response."""
        from pydantic_ai import PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta

        self.turn.live.begin()
        citing = Citing(self.turn.passages)
        async with node.stream(context) as events:
            async for event in events:
                if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
                    self._say(citing.feed(storable(event.part.content)))
                elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                    self._say(citing.feed(storable(event.delta.content_delta)))
        self._say(citing.rest())

    def _say(self, piece: str) -> None:
        if not piece:
            return
        require_bounded(len(self.turn.live.text) + len(piece))
        self.turn.live.say(piece)
        if self.emit:
            self.emit(piece)


def _agent(turn: Turn) -> Any:
    from pydantic_ai import FunctionToolset, Tool
    from pydantic_ai.exceptions import UserError

    hung = toolset_for(turn)
    plain = FunctionToolset([tool for tool in hung if isinstance(tool, Tool)])
    toolsets = [plain, *(toolset for toolset in hung if not isinstance(toolset, Tool))]
    if turn.schema is None:
        return _made(turn, toolsets)
    try:
        made = _made(turn, toolsets)
    except (KeyError, UserError) as error:
        # Pydantic AI inlines definitions, which fails for recursive references.
        raise TurnFailed("misconfigured", "The answer schema must not be recursive.") from error
    made.output_validator(_fitting(turn.schema))
    return made


def _made(turn: Turn, toolsets: list[Any]) -> Any:
    from pydantic_ai import Agent

    from conversations.runtime.journaled import JournaledToolset

    made = Agent(
        _model(turn),
        name=turn.agent.slug or None,
        instructions=_instructions(turn),
        toolsets=[JournaledToolset(toolset, turn=turn) for toolset in toolsets],
        output_type=output_type(turn.schema),
        retries=1,
    )
    made.instrument = instrumentation()
    return made


def _instructions(turn: Turn) -> str:
    asked = SEARCHING if turn.schema is not None else f"{SEARCHING} {CITING}"
    return "\n\n".join(part for part in (turn.agent.system_prompt, asked, turn.briefing) if part)


def _fitting(schema: dict[str, Any]) -> Callable[[Any], Any]:
    """Return an output validator that asks the model to correct invalid answers."""
    from pydantic_ai import ModelRetry

    async def check(output: Any) -> Any:
        if isinstance(output, dict) and (wrong := misfit(schema, output)):
            raise ModelRetry(f"The answer does not match the schema. {wrong}")
        return output

    return check


def _model(turn: Turn) -> Any:
    from agents.runtime.routing import model_for

    if turn.problem:
        raise TurnFailed("misconfigured", turn.problem)
    if turn.integration and turn.integration.platform != turn.agent.model_provider:
        # Editing an agent must not send an integration's key to another provider.
        raise TurnFailed("misconfigured", "The agent's integration belongs to a different provider.")
    try:
        turn.meter = meter_of(turn)
        turn.meter.prepare(turn.agent.model_provider, turn.agent.model_name)
        return model_for(turn.agent, turn.api_key, turn.meter)
    except ValueError as error:
        raise TurnFailed("misconfigured", f"The agent's model is not configured: {error}.") from error


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
    """Return the usage of this turn's requests; messages from the history have none."""
    return [
        ModelCall(
            storable(message.model_name or ""),
            _counted(message.usage.input_tokens),
            _counted(message.usage.output_tokens),
            # Recorded by the meter: which integration answered (it may be a fallback) and how.
            **_noted(message.metadata or {}),
        )
        for message in messages
        if message.kind == "response" and message.usage.total_tokens
    ]


def _noted(metadata: dict[str, Any]) -> dict[str, Any]:
    texts = {name: metadata.get(name) or "" for name in ("provider", "integration", "asked")}
    return {
        **texts,
        "cached": _counted(metadata.get("cached") or 0),
        **{name: metadata.get(name) for name in ("latency_ms", "status")},
    }


def _counted(tokens: int) -> int:
    return max(0, min(tokens, MOST_TOKENS))
