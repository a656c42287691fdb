"""MCP tools that `Agent.tools` names and the asking person may use.

Tool definitions come from the server's last refresh; only a call opens a session. Resources and prompts are offered
as the tools `read_resource` and `get_prompt`, unless the server has tools with these names.
"""

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.utils import timezone

from agents.choices import MCP_PREFIX
from agents.models import McpServerConfig
from agents.runtime.builtin_tools import ToolError
from agents.runtime.mcp_client import (
    McpClientError,
    McpConnection,
    call_tool,
    connection_for,
    get_prompt,
    read_resource,
)
from agents.services.mcp import CallRateError, count_call, usable_configs
from conversations.choices import ToolStatus
from conversations.models import McpToolExecution
from conversations.runtime.tools import ToolOutcome, run_recorded, to_storable_json

if TYPE_CHECKING:
    from conversations.runtime.turns import TurnContext

MAX_NAME_LENGTH = 64
MAX_ENUM_VALUES = 100
INVALID_NAME_CHARACTERS = re.compile(r"[^a-zA-Z0-9_-]")


@dataclass(frozen=True, slots=True)
class McpTool:
    """A tool of an MCP server: `name` for the model, `full_name` in `Agent.tools`."""

    config: McpServerConfig
    definition: dict[str, Any]
    # The MCP request to send: call a tool, read a resource or get a prompt.
    ask: Callable[[McpConnection, str, dict[str, Any]], Awaitable[dict[str, Any]]] = call_tool

    @property
    def own_name(self) -> str:
        return str(self.definition["name"])

    @property
    def full_name(self) -> str:
        return f"{MCP_PREFIX}{self.config.mcp_server.slug}/{self.own_name}"

    @property
    def name(self) -> str:
        return INVALID_NAME_CHARACTERS.sub("_", f"{self.config.mcp_server.slug}__{self.own_name}")[
            :MAX_NAME_LENGTH
        ]

    def is_listed_in(self, names: list[str]) -> bool:
        """Whether the list contains this tool or its whole server."""
        return self.full_name in names or f"{MCP_PREFIX}{self.config.mcp_server.slug}" in names


class McpToolError(ToolError):
    """A failed call; `code` is stored with its `McpToolExecution`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class McpCallOwner:
    """Owner of a recorded call; `scope` opens a short scope that may write the record.

    `key` is the idempotency key of calls that may be repeated.
    """

    scope: Callable[[], AbstractContextManager[Any]]
    agent_id: UUID | None = None
    conversation_id: UUID | None = None
    message_id: UUID | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""


def build_mcp_tools(turn: "TurnContext") -> list[Any]:
    """Return the turn's MCP tools as Pydantic AI tools. Opens a short scope."""
    if not any(name.startswith(MCP_PREFIX) for name in turn.agent.tools):
        return []
    with turn.caller.scope():
        offered = [each for config in usable_configs(turn.caller.user_id) for each in list_mcp_tools(config)]
        configs = [
            (each, connection_for(each.config.mcp_server, each.config))
            for each in offered
            if each.is_listed_in(turn.agent.tools)
        ]
    # Shortened names may collide; the first tool wins.
    first: dict[str, Any] = {}
    for each, reach in configs:
        first.setdefault(each.name, _build_tool(turn, each, reach))
    return list(first.values())


def list_mcp_tools(config: McpServerConfig) -> list[McpTool]:
    """Return the server's tools, and tools that read its resources and prompts."""
    server = config.mcp_server
    found = [
        McpTool(config, definition) for definition in _filter_definitions(server.tool_definitions, "name")
    ]
    uris = [str(each["uri"]) for each in _filter_definitions(server.resource_definitions, "uri")]
    if uris:
        found.append(
            McpTool(
                config, _build_enum_tool("read_resource", "Read a resource.", "uri", uris), _read_resource
            )
        )
    prompts = _filter_definitions(server.prompt_definitions, "name")
    if prompts:
        lines = [f"{each['name']}({', '.join(_get_argument_names(each))})" for each in prompts]
        description = f"Get a prompt, filled: {'; '.join(lines)}."
        definition = _build_enum_tool(
            "get_prompt", description, "name", [str(each["name"]) for each in prompts]
        )
        values = {"type": "object", "additionalProperties": {"type": "string"}}
        definition["inputSchema"]["properties"]["arguments"] = values
        found.append(McpTool(config, definition, _get_prompt))
    return found


def _filter_definitions(definitions: Any, key: str) -> list[dict[str, Any]]:
    rows = definitions if isinstance(definitions, list) else []
    return [each for each in rows if isinstance(each, dict) and isinstance(each.get(key), str)]


def _get_argument_names(prompt: dict[str, Any]) -> list[str]:
    return [str(each["name"]) for each in _filter_definitions(prompt.get("arguments"), "name")]


def _build_enum_tool(name: str, description: str, field: str, among: list[str]) -> dict[str, Any]:
    """Build the definition of a tool that takes one of the listed names."""
    known = {"type": "string", "enum": among[:MAX_ENUM_VALUES]}
    schema = {"type": "object", "properties": {field: known}, "required": [field]}
    return {"name": name, "description": description, "inputSchema": schema}


def _require_listed(offered: dict[str, Any], field: str, value: Any) -> str:
    """Return the value if the server lists it; models may request any value."""
    if value not in offered["inputSchema"]["properties"][field]["enum"]:
        raise ToolError(f"The server lists no such {field}.")
    return str(value)


async def _read_resource(reach: McpConnection, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    result = await read_resource(reach, str(arguments.get("uri")))
    return {"content": [_to_tool_content(each) for each in result.get("contents", [])]}


async def _get_prompt(reach: McpConnection, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    prompt_arguments = arguments.get("arguments")
    values = (
        {str(key): str(value) for key, value in prompt_arguments.items()}
        if isinstance(prompt_arguments, dict)
        else {}
    )
    result = await get_prompt(reach, str(arguments.get("name")), values)
    return {
        "content": [{"type": "text", **_get_message_content(each)} for each in result.get("messages", [])]
    }


def _get_message_content(message: Any) -> dict[str, Any]:
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, dict) else {}


def _to_tool_content(each: Any) -> dict[str, Any]:
    """Convert resource content to tool content; omit binary data."""
    text = each.get("text") if isinstance(each, dict) else None
    return {"type": "text", "text": text} if isinstance(text, str) else {"type": "binary"}


def _build_tool(turn: "TurnContext", offered: McpTool, reach: McpConnection) -> Any:
    from pydantic_ai import Tool

    owner = McpCallOwner(turn.caller.scope, turn.agent.pk, turn.conversation_id, turn.answer_id)

    async def call(ctx: Any, **arguments: Any) -> Any:
        async def body() -> Any:
            return await call_and_record(owner, offered, reach, arguments)

        return await run_recorded(turn, ctx, arguments, body)

    schema = offered.definition.get("inputSchema")
    tool = Tool.from_schema(
        call,
        offered.name,
        str(offered.definition.get("description") or "")[:2000],
        schema if isinstance(schema, dict) else {"type": "object", "properties": {}},
        takes_ctx=True,
    )
    tool.requires_approval = offered.is_listed_in(turn.agent.approvals)
    return tool


async def call_and_record(
    owner: McpCallOwner, offered: McpTool, reach: McpConnection, arguments: dict[str, Any]
) -> Any:
    """Call the server's tool and record the call as an `McpToolExecution`.

    Raises:
        ToolError: the arguments are invalid.
        McpToolError: the call failed; the message is for the model.
    """
    started = time.perf_counter()
    if offered.ask is not call_tool:
        field = "uri" if offered.ask is _read_resource else "name"
        _require_listed(offered.definition, field, arguments.get(field))
    row = await sync_to_async(_record_start)(owner, offered, to_storable_json(arguments))
    if row is None:
        raise McpToolError("rate_limited", "The rate limit of this server is reached. Try again in a minute.")
    outcome, code = (
        ToolOutcome(ToolStatus.FAILED, error="The turn ended before the tool finished."),
        "cancelled",
    )
    try:
        outcome, code = await _call_server(owner, offered, reach, arguments)
    finally:
        await sync_to_async(_record_end)(owner, row, outcome, code, started)
    if outcome.status != ToolStatus.COMPLETED:
        raise McpToolError(code, outcome.error)
    return outcome.output


async def _call_server(
    owner: McpCallOwner, offered: McpTool, reach: McpConnection, arguments: dict[str, Any]
) -> tuple[ToolOutcome, str]:
    try:
        if offered.ask is call_tool:
            found = await call_tool(reach, offered.own_name, arguments, key=owner.key)
        else:
            found = await offered.ask(reach, offered.own_name, arguments)
        result = to_storable_json(found)
    except McpClientError as error:
        late = error.code == "timeout"
        return ToolOutcome(ToolStatus.TIMEOUT if late else ToolStatus.FAILED, error=str(error)), error.code
    except ToolError as error:
        return ToolOutcome(ToolStatus.FAILED, error=str(error)), "too_large"
    if result.get("isError"):
        return ToolOutcome(
            ToolStatus.FAILED, error=_get_text(result)[:2000] or "The tool failed."
        ), "tool_error"
    return ToolOutcome(ToolStatus.COMPLETED, result.get("structuredContent") or _get_text(result)), ""


def _get_text(result: dict[str, Any]) -> str:
    parts = [part for part in result.get("content", []) if isinstance(part, dict)]
    return "\n".join(str(part.get("text") or f"[{part.get('type')}]") for part in parts)


def _record_start(owner: McpCallOwner, offered: McpTool, arguments: Any) -> UUID | None:
    """Record the start of a call; return None over the rate limit."""
    with owner.scope():
        row = McpToolExecution(
            mcp_server_id=offered.config.mcp_server_id,
            agent_id=owner.agent_id,
            conversation_id=owner.conversation_id,
            message_id=owner.message_id,
            metadata=dict(owner.metadata),
            tool_name=offered.own_name[:255],
            parameters=arguments,
            status=ToolStatus.RUNNING,
            started_at=timezone.now(),
        )
        try:
            count_call(offered.config)
        except CallRateError as error:
            row.status, row.error_code, row.error_message = ToolStatus.FAILED, "rate_limited", str(error)
            row.completed_at = timezone.now()
            row.save(force_insert=True)
            return None
        row.save(force_insert=True)
        return row.pk


def _record_end(owner: McpCallOwner, row: UUID, outcome: ToolOutcome, code: str, started: float) -> None:
    with owner.scope():
        McpToolExecution.objects.filter(pk=row).update(
            status=outcome.status,
            result=outcome.output,
            error_message=outcome.error,
            error_code=code,
            completed_at=timezone.now(),
            execution_time_ms=int((time.perf_counter() - started) * 1000),
        )
