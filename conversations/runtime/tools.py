"""Built-in tools of agents besides search, with recorded calls.

A failure or timeout is returned to the model as an error, and the turn continues. For calls that wait for approval
see `conversations.runtime.approvals`.
"""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.utils import timezone

from accounts.services.preferences import get_preferences
from agents.choices import BuiltinTool
from agents.runtime.builtin_tools import ToolError, calculate, current_time, read_page
from config.observability import metrics
from conversations.choices import ToolStatus
from conversations.models import ToolExecution
from conversations.runtime.journal import current_call_key, strip_unstorable_json
from conversations.runtime.web_search import search_for
from conversations.tool_registry import agent_tools

if TYPE_CHECKING:
    from conversations.runtime.turns import TurnContext

MAX_OUTPUT_LENGTH = 100_000
ToolBody = Callable[[], Awaitable[Any]]
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """The result of a tool call: its output or its error."""

    status: ToolStatus
    output: Any = None
    error: str = ""

    @property
    def model_value(self) -> Any:
        """The value returned to the model."""
        return self.output if self.status == ToolStatus.COMPLETED else {"error": self.error}


def build_tools(turn: "TurnContext") -> list[Any]:
    """Return the built-in tools named in `Agent.tools`, as Pydantic AI tools."""
    named = turn.agent.tools
    built = {name: make(turn) for name, make in _BUILTIN.items() if name in named}
    registered = {name: tool for name, tool in agent_tools.items() if name in named}
    return [_build_builtin_tool(turn, name, function) for name, function in built.items()] + [
        _build_builtin_tool(turn, name, tool.build(turn), is_idempotent=tool.is_idempotent)
        for name, tool in registered.items()
    ]


def _build_builtin_tool(
    turn: "TurnContext", name: str, function: Callable[..., Any], *, is_idempotent: bool = True
) -> Any:
    from pydantic_ai import RunContext

    # Pydantic AI requires the annotation, which needs the lazy import.
    function.__annotations__["ctx"] = RunContext[Any]
    needs_approval = name in turn.agent.approvals
    # Tools that only read may be repeated. An approved call runs once.
    metadata = {"idempotent": is_idempotent and not needs_approval}
    return build_tool(
        function, str(name), takes_ctx=True, requires_approval=needs_approval, metadata=metadata
    )


_schemas: dict[str, Any] = {}


def build_tool(function: Callable[..., Any], name: str, **options: Any) -> Any:
    """Build a Pydantic AI tool; its argument schema is cached per process."""
    from pydantic_ai import Tool

    if name not in _schemas:
        _schemas[name] = Tool(function, name=name, **options).function_schema
    return Tool(function, name=name, function_schema=replace(_schemas[name], function=function), **options)


def _build_calculator(turn: "TurnContext") -> Callable[..., Any]:
    async def calculator(ctx: Any, expression: str) -> Any:
        """Compute an arithmetic expression exactly.

        Args:
            expression: numbers, + - * / // % **, parentheses, functions such as sqrt, log, round, min and max.
        """

        async def body() -> Any:
            return calculate(expression)

        return await run_recorded(turn, ctx, {"expression": expression}, body)

    return calculator


def _build_clock(turn: "TurnContext") -> Callable[..., Any]:
    async def clock(ctx: Any, time_zone: str = "") -> Any:
        """Return the current date and time.

        Args:
            time_zone: a name such as Europe/Berlin. Empty: the user's time zone.
        """

        async def body() -> Any:
            return current_time(time_zone or await sync_to_async(_get_time_zone)(turn))

        return await run_recorded(turn, ctx, {"time_zone": time_zone}, body)

    return clock


def _get_time_zone(turn: "TurnContext") -> str:
    """Return the time zone in the settings of the user who asks."""
    with turn.caller.scope():
        return get_preferences(turn.caller.user_id).timezone or "UTC"


def _build_http_fetch(turn: "TurnContext") -> Callable[..., Any]:
    async def http_fetch(ctx: Any, url: str) -> Any:
        """Read the text of a public page on the internet.

        Args:
            url: the address, beginning with https:// or http://.
        """

        async def body() -> Any:
            return asdict(await read_page(url))

        return await run_recorded(turn, ctx, {"url": url}, body)

    return http_fetch


def _build_web_search(turn: "TurnContext") -> Callable[..., Any]:
    async def web_search(ctx: Any, query: str, max_results: int = 5) -> Any:
        """Search the web. Returns title, URL and text of each result, best first.

        Args:
            query: what to look for.
            max_results: number of results, at most 10.
        """

        async def body() -> Any:
            return await search_for(turn.caller, query, max_results)

        return await run_recorded(turn, ctx, {"query": query, "max_results": max_results}, body)

    return web_search


_BUILTIN: dict[str, Callable[["TurnContext"], Callable[..., Any]]] = {
    BuiltinTool.CALCULATOR: _build_calculator,
    BuiltinTool.CURRENT_TIME: _build_clock,
    BuiltinTool.HTTP_FETCH: _build_http_fetch,
    BuiltinTool.WEB_SEARCH: _build_web_search,
}


async def run_recorded(turn: "TurnContext", ctx: Any, arguments: dict[str, Any], body: ToolBody) -> Any:
    """Run `body` as a recorded tool call within the agent's `tool_timeout`.

    Args:
        ctx: Pydantic AI's `RunContext`.

    Returns:
        The value for the model: the output, or `{"error": …}`.
    """
    name, call_id, started = str(ctx.tool_name), str(ctx.tool_call_id or ""), time.perf_counter()
    try:
        arguments = to_storable_json(arguments)
    except ToolError as error:
        return {"error": str(error)}
    execution_id = await sync_to_async(_record_start)(turn, name, call_id, arguments, ctx.tool_call_approved)
    if execution_id is None:
        return {"error": "This call was already made."}
    try:
        outcome = await run_with_timeout(body, turn.agent.tool_timeout)
    except BaseException:
        # The turn is cancelled, by its timeout or a shutdown; the row must not stay open.
        stopped = ToolOutcome(ToolStatus.FAILED, error="The turn ended before the tool finished.")
        await asyncio.shield(sync_to_async(_record_end)(turn, execution_id, stopped, started))
        raise
    call = {"id": str(execution_id), "name": name, "input": arguments}
    await sync_to_async(_record_end)(turn, execution_id, outcome, started, call)
    return outcome.model_value


async def run_with_timeout(body: ToolBody, seconds: float) -> ToolOutcome:
    """Run `body` for at most `seconds` and convert exceptions to outcomes."""
    try:
        async with asyncio.timeout(seconds):
            return ToolOutcome(ToolStatus.COMPLETED, to_storable_json(await body()))
    except TimeoutError:
        return ToolOutcome(ToolStatus.TIMEOUT, error=f"The tool did not respond within {seconds:g} seconds.")
    except ToolError as error:
        return ToolOutcome(ToolStatus.FAILED, error=str(error))
    except Exception as error:
        logger.exception("tool failed: %s", type(error).__name__)
        return ToolOutcome(ToolStatus.FAILED, error="The tool failed.")


def to_storable_json(value: Any) -> Any:
    """Return `value` as JSON that PostgreSQL can store.

    Raises:
        ToolError: the value is not JSON, or is too large.
    """
    try:
        if len(json.dumps(value, allow_nan=False)) > MAX_OUTPUT_LENGTH:
            raise ToolError(f"The tool's data exceeds {MAX_OUTPUT_LENGTH} characters.")
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, ToolError):
            raise
        raise ToolError("The tool's data cannot be serialized to JSON.") from error
    return strip_unstorable_json(value)


def _record_start(
    turn: "TurnContext", name: str, call_id: str, arguments: dict[str, Any], approved: bool
) -> UUID | None:
    """Record the start of a call; return None if it has already started."""
    with turn.caller.scope():
        if approved:
            rows = ToolExecution.objects.created_after_id(turn.conversation_id).filter(
                message_id=turn.answer_id, call_id=call_id, status=ToolStatus.APPROVED
            )
            waiting = rows.values_list("pk", flat=True).first()
            changes = {"status": ToolStatus.RUNNING, "started_at": timezone.now()}
            return waiting if waiting and rows.filter(pk=waiting).update(**changes) else None
        execution = ToolExecution(
            conversation_id=turn.conversation_id,
            message_id=turn.answer_id,
            agent_id=turn.agent.pk,
            tool_name=name,
            tool_input=arguments,
            call_id=call_id[:255],
            status=ToolStatus.RUNNING,
            started_at=timezone.now(),
        )
        execution.save(force_insert=True)
        return execution.pk


def _record_end(
    turn: "TurnContext",
    execution_id: UUID,
    outcome: ToolOutcome,
    started: float,
    call: dict[str, Any] | None = None,
) -> None:
    """Store the outcome and the value for the model in one transaction."""
    seconds = time.perf_counter() - started
    metrics.record_tool_call(outcome.status, seconds)
    with turn.caller.scope():
        ToolExecution.objects.filter(pk=execution_id).update(
            status=outcome.status,
            tool_output=outcome.output,
            error_message=outcome.error,
            completed_at=timezone.now(),
            execution_time_ms=int(seconds * 1000),
        )
        if call:
            turn.journal.add_result(
                current_call_key.get(), {"result": outcome.model_value, "tool_calls": [call]}
            )
