"""The agent loop on Pydantic AI: model, tools, limits and result.

Functions in `sync_to_async` run on the turn's thread, with its database connection; see
`docs/explanation/agent-loop.md`. Pydantic AI is imported lazily because importing it takes seconds.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

from asgiref.sync import sync_to_async
from django.db import DataError

from agents.models.agents import DEFAULT_PROMPT
from agents.runtime.event_loop import run_in_event_loop
from agents.runtime.providers import build_model, classify_error
from config.observability.tracing import instrumentation, span_attributes
from config.serving.threads import outside_pool
from conversations.choices import MessageRole, MessageStatus
from conversations.models import Message
from conversations.runtime.approvals import (
    TurnParked,
    extract_answer,
    get_output_types,
    load_decisions,
    park_turn,
)
from conversations.runtime.citations import CitationRenumberer
from conversations.runtime.exceptions import TurnError, check_answer_length
from conversations.runtime.journal import strip_unstorable
from conversations.runtime.lease_renewal import lease_renewer
from conversations.runtime.stream_buffer import StreamBuffer
from conversations.runtime.structured_output import find_validation_error
from conversations.runtime.toolset import build_toolset
from conversations.runtime.turn_results import ModelUsage, get_model_usage, store_answer, store_failure
from conversations.runtime.turns import TurnContext, with_stream_buffer
from conversations.services.leases import LeaseLostError
from knowledge.services.search import FoundPassage

SEARCH_INSTRUCTIONS = "Search with the tool search_knowledge before you answer."
CITATION_INSTRUCTIONS = (
    "Cite a passage as [n] with its number, right after what rests on it. "
    "Say so plainly when the passages do not answer the question."
)
POLL_SECONDS = 0.5
Emit = Callable[[str], None]
logger = logging.getLogger(__name__)


def warm_up() -> None:
    """Import the agent library and the offline model."""
    build_model("extractive", "extractive-1")


def run_turn(turn: TurnContext, emit: Emit | None = None) -> Message:
    """Run the agent and store its answer. Call it outside any scope and transaction.

    Args:
        emit: called with each text fragment, for streaming.

    Returns:
        The completed answer, or the failed one with its `error_code` and `error_message`.
    """
    if emit:
        turn = with_stream_buffer(turn)
    with ExitStack() as stack:
        stack.enter_context(lease_renewer.renewing(turn.lease))
        if turn.live:
            stack.enter_context(lease_renewer.publishing(turn.live))
        answer = None
        try:
            answer = _run_agent(turn, emit)
        except LeaseLostError:
            logger.warning("another process took over the answer")
        finally:
            if turn.live:
                turn.live.end(answer)
    return answer or _wait_for_answer(turn)


def _run_agent(turn: TurnContext, emit: Emit | None) -> Message:
    from pydantic_ai import capture_run_messages

    saying = TextStreamer(turn.live, turn.journal.passages, emit) if turn.live else None
    with capture_run_messages() as messages:
        try:
            with bind_turn_context(turn):
                text = run_in_event_loop(_generate_answer, turn, saying)
        except LeaseLostError:
            raise
        except TurnParked as parked:
            return park_turn(turn, parked)
        except Exception as error:  # noqa: BLE001 (the turn must not stay open)
            failure = _to_turn_error(error)
            said = turn.live.text if turn.live else ""
            return store_failure(turn, failure.code, failure.message, get_model_usage(messages), said)
    return _try_store_answer(turn, text, get_model_usage(messages))


def bind_turn_context(turn: TurnContext) -> AbstractContextManager[None]:
    """Attach the turn's ids to the spans and log lines of the block."""
    return span_attributes(
        tenant_id=turn.caller.tenant_id, conversation_id=turn.conversation_id, agent_id=turn.agent.pk
    )


def record_messages(turn: TurnContext, messages: list[dict[str, Any]]) -> None:
    """Store the exchanged messages, so that the request is not repeated on resume."""
    live = turn.live
    with live.storing if live else nullcontext():
        with turn.caller.scope():
            piece = live.piece() if live else None
            turn.journal.add_messages(messages, piece)
        if live and piece:
            live.mark_stored(piece)


def _wait_for_answer(turn: TurnContext) -> Message:
    """Wait until another process finishes the answer, up to the agent's timeout."""
    end = time.monotonic() + turn.agent.timeout
    while True:
        with turn.caller.scope():
            answer = Message.objects.created_after_id(turn.conversation_id).get(pk=turn.answer_id)
        if answer.status != MessageStatus.PENDING or time.monotonic() > end:
            return answer
        with outside_pool():
            time.sleep(POLL_SECONDS)


def _try_store_answer(turn: TurnContext, text: str, calls: list[ModelUsage]) -> Message:
    """Store the answer, or a failure when the database rejects its data."""
    try:
        return store_answer(turn, text, calls)
    except DataError as error:
        logger.warning("answer could not be stored: %s", type(error).__name__)
        return store_failure(turn, "bad_response", "The model's answer could not be stored.", [])


def _to_turn_error(error: Exception) -> TurnError:
    """Convert an exception to a user-facing error; log its kind only."""
    if isinstance(error, TurnError):
        return error
    failure = classify_error(error)
    # A provider's exception may quote what was sent to it, so only internal errors are logged in full.
    ours = error if failure.kind == "internal" else None
    logger.warning("turn failed: %s (%s)", failure.kind, type(error).__name__, exc_info=ours)
    return TurnError(failure.kind, failure.message)


async def _generate_answer(turn: TurnContext, saying: "TextStreamer | None") -> str:
    from pydantic_ai.messages import ModelMessagesTypeAdapter
    from pydantic_ai.usage import RunUsage, UsageLimits

    # On the turn's thread, because resolving its tools reads the database.
    agent, journal = await sync_to_async(build_agent)(turn), turn.journal
    earlier = ModelMessagesTypeAdapter.validate_python([*journal.parked, *journal.messages])
    options: dict[str, Any] = {
        # A parked turn's messages include its history.
        "message_history": earlier if journal.parked else [*_to_model_messages(turn), *earlier],
        "usage_limits": UsageLimits(request_limit=turn.agent.max_iterations),
        "usage": RunUsage(requests=journal.responses),
        "model_settings": {
            "temperature": float(turn.agent.temperature),
            "max_tokens": turn.agent.max_tokens,
        },
    }
    if journal.parked and not journal.messages:
        options["deferred_tool_results"] = await sync_to_async(load_decisions)(turn)
    async with (
        asyncio.timeout(turn.agent.timeout),
        agent.iter(None if earlier else turn.question, **options) as run,
    ):
        stored_count = 0
        async for node in run:
            if agent.is_call_tools_node(node) and node.model_response.tool_calls:
                new = run.new_messages()[stored_count:]
                stored_count += len(new)
                if new:
                    rows = ModelMessagesTypeAdapter.dump_python(new, mode="json")
                    await sync_to_async(record_messages)(turn, rows)
            elif agent.is_model_request_node(node):
                if turn.meter.rest:
                    await sync_to_async(turn.meter.rest)()
                if saying and turn.schema is None:
                    await saying.listen(node, run.ctx)
        text = extract_answer(run.result)
        check_answer_length(len(text))
        return text


class TextStreamer:
    """Streams a turn's text with its final citation numbers."""

    def __init__(self, live: StreamBuffer, passages: list[FoundPassage], emit: Emit | None) -> None:
        self.live, self.passages, self.emit = live, passages, emit

    async def listen(self, node: Any, context: Any) -> None:
        """Stream one model response."""
        from pydantic_ai import PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta

        self.live.begin()
        renumberer = CitationRenumberer(self.passages)
        async with node.stream(context) as events:
            async for event in events:
                if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
                    self._say(renumberer.feed(strip_unstorable(event.part.content)))
                elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                    self._say(renumberer.feed(strip_unstorable(event.delta.content_delta)))
        self._say(renumberer.flush())

    def _say(self, piece: str) -> None:
        if not piece:
            return
        check_answer_length(len(self.live.text) + len(piece))
        self.live.append(piece)
        if self.emit:
            self.emit(piece)


def build_agent(turn: TurnContext) -> Any:
    from pydantic_ai import FunctionToolset, Tool
    from pydantic_ai.exceptions import UserError

    tools = build_toolset(turn)
    plain = FunctionToolset([tool for tool in tools if isinstance(tool, Tool)])
    toolsets = [plain, *(toolset for toolset in tools if not isinstance(toolset, Tool))]
    if turn.schema is None:
        return _create_agent(turn, toolsets)
    try:
        agent = _create_agent(turn, toolsets)
    except (KeyError, UserError) as error:
        # Pydantic AI inlines definitions, which fails for recursive references.
        raise TurnError("misconfigured", "The answer schema must not be recursive.") from error
    agent.output_validator(_build_output_validator(turn.schema))
    return agent


def _create_agent(turn: TurnContext, toolsets: list[Any]) -> Any:
    from pydantic_ai import Agent

    from conversations.runtime.durable_toolset import DurableToolset

    agent = Agent(
        build_turn_model(turn),
        name=turn.agent.slug or None,
        instructions=_build_instructions(turn),
        toolsets=[DurableToolset(toolset, turn=turn) for toolset in toolsets],
        output_type=get_output_types(turn.schema),
        retries=1,
    )
    agent.instrument = instrumentation()
    return agent


def _build_instructions(turn: TurnContext) -> str:
    prompt, instructions = turn.agent.system_prompt, SEARCH_INSTRUCTIONS
    if not turn.collections:
        # The default prompt is about knowledge, which this agent does not have.
        prompt, instructions = "" if prompt == DEFAULT_PROMPT else prompt, ""
    elif turn.schema is None:
        instructions = f"{SEARCH_INSTRUCTIONS} {CITATION_INSTRUCTIONS}"
    return "\n\n".join(part for part in (prompt, instructions, turn.extra_context) if part)


def _build_output_validator(schema: dict[str, Any]) -> Callable[[Any], Any]:
    """Return an output validator that asks the model to correct invalid answers."""
    from pydantic_ai import ModelRetry

    async def check(output: Any) -> Any:
        if isinstance(output, dict) and (wrong := find_validation_error(schema, output)):
            raise ModelRetry(f"The answer does not match the schema. {wrong}")
        return output

    return check


def build_turn_model(turn: TurnContext) -> Any:
    from agents.runtime.routing import build_agent_model

    if turn.problem:
        raise TurnError("misconfigured", turn.problem)
    if turn.agent.integration and turn.agent.integration.platform != turn.agent.model_provider:
        # Editing an agent must not send an integration's key to another provider.
        raise TurnError("misconfigured", "The agent's integration belongs to a different provider.")
    try:
        turn.meter.prepare(turn.agent.model_provider, turn.agent.model_name)
        return build_agent_model(turn.agent, turn.api_key, turn.meter)
    except ValueError as error:
        raise TurnError("misconfigured", f"The agent's model is not configured: {error}.") from error


def _to_model_messages(turn: TurnContext) -> list[Any]:
    from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, UserPromptPart

    return [
        ModelRequest(parts=[UserPromptPart(content)])
        if role == MessageRole.USER
        else ModelResponse(parts=[TextPart(content)])
        for role, content in turn.history
    ]
