"""Bodies of `tool` and `mcp` steps: built-in tools, and tools of MCP servers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

from accounts.services.preferences import get_preferences
from agents.choices import BuiltinTool
from agents.runtime.builtin_tools import ToolError, calculate, current_time, read_page
from agents.runtime.mcp_client import McpConnection, connection_for
from agents.runtime.web_search import WebSearchError
from agents.services.mcp import usable_configs
from config.tenancy.scope import tenant_scope
from conversations.choices import ToolStatus
from conversations.runtime.mcp_tools import (
    McpCallOwner,
    McpTool,
    McpToolError,
    call_and_record,
    list_mcp_tools,
)
from conversations.runtime.tools import ToolOutcome, run_with_timeout, to_storable_json
from conversations.runtime.turns import Caller
from conversations.runtime.web_search import search_for
from workflows.choices import StepKind
from workflows.runtime.outside_calls import call_outside, get_seconds, require_text
from workflows.runtime.step_bodies import StepContext, StepError, StepResult, register_body

DEFAULT_SECONDS = 30.0
# Kinds of failures of MCP calls after which another attempt can succeed.
RETRYABLE_CODES = frozenset({"rate_limited", "timeout", "unreachable", "refused", "cancelled"})
# Failures without any effect on the server.
NOT_CALLED = frozenset({"rate_limited"})
MESSAGES = {
    "rate_limited": "The rate limit of the MCP server is reached.",
    "timeout": "The MCP server did not answer in time.",
    "unreachable": "The MCP server cannot be reached.",
    "refused": "The MCP server refused the call or disconnected.",
    "tool_error": "The tool of the MCP server reported an error.",
    "too_large": "The result of the tool is too large.",
}
Tool = Callable[[StepContext, Mapping[str, Any]], Awaitable[Any]]


async def _calculate(context: StepContext, arguments: Mapping[str, Any]) -> Any:
    return calculate(str(arguments.get("expression") or ""))


async def _get_time(context: StepContext, arguments: Mapping[str, Any]) -> Any:
    return current_time(str(arguments.get("time_zone") or "UTC"))


async def _fetch_page(context: StepContext, arguments: Mapping[str, Any]) -> Any:
    return asdict(await read_page(str(arguments.get("url") or "")))


async def _search_web(context: StepContext, arguments: Mapping[str, Any]) -> Any:
    caller = Caller(context.tenant_id, context.user_id, context.actor, context.engagement_id)
    count = arguments.get("max_results", 5)
    if not isinstance(count, int):
        raise ToolError("max_results must be an integer.")
    return await search_for(caller, str(arguments.get("query") or ""), count)


TOOLS: dict[str, Tool] = {
    BuiltinTool.CALCULATOR: _calculate,
    BuiltinTool.CURRENT_TIME: _get_time,
    BuiltinTool.HTTP_FETCH: _fetch_page,
    BuiltinTool.WEB_SEARCH: _search_web,
}


@register_body(StepKind.TOOL)
def run_tool(context: StepContext) -> StepResult:
    """Run a built-in tool and return its result."""
    name = require_text(context, "tool")
    if name not in TOOLS:
        raise StepError("tool_not_found", f"The tool {name} does not exist.", retryable=False)
    arguments = _get_arguments(context)
    if name == BuiltinTool.CURRENT_TIME and not arguments.get("time_zone"):
        arguments["time_zone"] = _get_time_zone(context)
    return StepResult(call_outside(context, _run, context, TOOLS[name], arguments))


def _get_arguments(context: StepContext) -> dict[str, Any]:
    given = context.config.get("input") or {}
    if not isinstance(given, Mapping):
        raise StepError("invalid_input", "The member input must be an object.", retryable=False)
    return dict(given)


def _get_time_zone(context: StepContext) -> str:
    with context.scope():
        return get_preferences(context.user_id).timezone or "UTC"


async def _run(context: StepContext, tool: Tool, arguments: Mapping[str, Any]) -> Any:
    outage: list[WebSearchError] = []

    async def body() -> Any:
        try:
            return await tool(context, arguments)
        except WebSearchError as error:
            outage.append(error)
            raise

    outcome = await run_with_timeout(body, get_seconds(context, DEFAULT_SECONDS))
    if outcome.status == ToolStatus.COMPLETED:
        return outcome.output
    raise _to_step_error(outcome, is_outage=any(each.counts for each in outage))


def _to_step_error(outcome: ToolOutcome, *, is_outage: bool) -> StepError:
    """Return the error of a failed call; the texts are those of this system."""
    if outcome.status == ToolStatus.TIMEOUT:
        return StepError("timeout", outcome.error)
    return StepError("tool_error", outcome.error, retryable=is_outage)


@register_body(StepKind.MCP)
def call_mcp_tool(context: StepContext) -> StepResult:
    """Call a tool of an MCP server that the run's user may use."""
    tool, connection = _find_tool(context)
    arguments = _get_arguments(context)
    metadata = {
        "workflow_execution_id": str(context.execution_id),
        "step_id": context.step_id,
        "step_execution_id": str(context.step_execution_id),
    }
    # Calls without a conversation are visible to the system only.
    owner = McpCallOwner(
        lambda: tenant_scope(context.tenant_id, actor=context.actor),
        metadata=metadata,
        key="" if context.config.get("idempotency") == "none" else context.idempotency_key,
    )

    async def call() -> Any:
        return await call_and_record(owner, tool, connection, to_storable_json(arguments))

    try:
        return StepResult(call_outside(context, call))
    except McpToolError as error:
        raise _to_mcp_error(context, error) from error
    except ToolError as error:
        raise StepError("invalid_input", str(error), retryable=False) from error


def _find_tool(context: StepContext) -> tuple[McpTool, McpConnection]:
    server, name = require_text(context, "server"), require_text(context, "tool")
    with context.scope():
        config = usable_configs(context.user_id).filter(mcp_server__slug=server).first()
        tools = list_mcp_tools(config) if config else []
        tool = next((each for each in tools if each.own_name == name), None)
        if tool is None:
            message = "The MCP server or its tool does not exist, or the user of the run may not use it."
            raise StepError("tool_not_found", message, retryable=False)
        connection = connection_for(tool.config.mcp_server, tool.config)
    limit = min(connection.timeout, get_seconds(context, connection.timeout))
    return tool, McpConnection(
        connection.kind, connection.command, connection.config, connection.env, limit, connection.bounds
    )


def _to_mcp_error(context: StepContext, error: McpToolError) -> StepError:
    """Return the error without the server's text, which is stored with the recorded call."""
    message = MESSAGES.get(error.code, "The call of the MCP server failed.")
    retryable = error.code in RETRYABLE_CODES
    if retryable and error.code not in NOT_CALLED and context.config.get("idempotency") == "none":
        return StepError("unknown_outcome", f"{message} The call may have taken effect.", retryable=False)
    return StepError(error.code, message, retryable=retryable)
