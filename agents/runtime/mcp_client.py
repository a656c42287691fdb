"""Client for Model Context Protocol servers: one session per call, sandboxed or over guarded HTTP.

A local server receives its configuration as JSON in the environment variable MCP_CONFIG, in addition to its own
variables. A remote server receives `config["token"]` as a bearer token, and `config["headers"]`.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asgiref.sync import async_to_sync
from django.conf import settings

from agents.choices import McpServerType
from agents.models import McpServer, McpServerConfig
from agents.runtime.sandbox import ResourceLimits, SandboxError, sandbox_command
from agents.services.mcp import allowed_variables, effective_limits, record_refresh_failure, store_offers
from config.http.ssrf import guarded_client
from config.tenancy.scope import platform_scope

if TYPE_CHECKING:
    from mcp import Client

# Servers that know the key can recognise a repeated call.
IDEMPOTENCY_KEY = "conclave/idempotency-key"
MAX_LISTED = 500
MAX_PAGES = 20
ACTOR = "system:mcp"


class McpClientError(RuntimeError):
    """Raised when a server fails a request. `code` is the kind; the message contains no secrets."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class McpConnection:
    """Connection parameters of a server, for one tenant or for the platform."""

    kind: str
    command: str
    config: dict[str, Any] = field(default_factory=dict, repr=False)
    env: dict[str, str] = field(default_factory=dict, repr=False)
    timeout: float = 30
    bounds: ResourceLimits = field(default_factory=ResourceLimits)


@dataclass(frozen=True, slots=True)
class McpOffers:
    """The tools, resources and prompts of a server, in the protocol's JSON format."""

    tools: list[dict[str, Any]]
    resources: list[dict[str, Any]]
    prompts: list[dict[str, Any]]
    version: str


def connection_for(server: McpServer, config: McpServerConfig | None = None) -> McpConnection:
    """Return the connection parameters for the tenant of `config`, or for the platform."""
    if config is None:
        return McpConnection(server.server_type, server.command)
    limits = effective_limits(config)
    bounds = ResourceLimits(
        memory_mb=int(limits["memory_mb"]), cpu_seconds=max(1, int(limits["cpu_seconds"]))
    )
    return McpConnection(
        server.server_type,
        server.command,
        dict(config.config or {}),  # type: ignore[arg-type]
        _select_variables(server, dict(config.env or {})),  # type: ignore[arg-type]
        limits["timeout"],
        bounds,
    )


def _select_variables(server: McpServer, env: dict[str, str]) -> dict[str, str]:
    """Return the variables that the server's schema lists; it may have changed since they were stored."""
    allowed = allowed_variables(server)
    return {name: value for name, value in env.items() if name in allowed}


async def call_tool(
    reach: McpConnection, name: str, arguments: dict[str, Any], *, key: str = ""
) -> dict[str, Any]:
    """Call a tool.

    Args:
        key: idempotency key, sent as the member `IDEMPOTENCY_KEY` of `_meta`.

    Returns:
        The protocol's result: `content`, `structuredContent`, and `isError` if the tool reports a failure.

    Raises:
        McpClientError: if the server is unreachable, disconnects, refuses or exceeds `reach.timeout`.
    """
    async with _session(reach) as client:
        meta: Any = {IDEMPOTENCY_KEY: key} if key else None
        result = await client.call_tool(name, arguments, meta=meta)
        return _to_json(result)


async def read_resource(reach: McpConnection, uri: str) -> dict[str, Any]:
    """Read a resource. Raises like `call_tool`."""
    async with _session(reach) as client:
        return _to_json(await client.read_resource(uri))


async def get_prompt(reach: McpConnection, name: str, arguments: dict[str, str]) -> dict[str, Any]:
    """Get a rendered prompt. Raises like `call_tool`."""
    async with _session(reach) as client:
        return _to_json(await client.get_prompt(name, arguments))


async def list_offers(reach: McpConnection) -> McpOffers:
    """List what the server offers, at most `MAX_LISTED` of each kind. Raises like `call_tool`."""
    async with _session(reach) as client:
        has, info = client.server_capabilities, client.server_info
        return McpOffers(
            await _list_all(client.list_tools, "tools") if has.tools else [],
            await _list_all(client.list_resources, "resources") if has.resources else [],
            await _list_all(client.list_prompts, "prompts") if has.prompts else [],
            str(getattr(info, "version", "") or ""),
        )


async def _list_all(method: Any, name: str) -> list[dict[str, Any]]:
    items: list[Any] = []
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await method(cursor=cursor)
        items += getattr(page, name)
        cursor = page.next_cursor
        if cursor is None or len(items) >= MAX_LISTED:
            break
    return [_to_json(each) for each in items[:MAX_LISTED]]


def _to_json(model: Any) -> dict[str, Any]:
    data: dict[str, Any] = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    return data


@asynccontextmanager
async def _session(reach: McpConnection) -> AsyncIterator["Client"]:
    """Open a session with the server; convert every failure to `McpClientError`."""
    from mcp import Client, MCPError

    try:
        async with asyncio.timeout(reach.timeout):
            async with _transport(reach) as transport, Client(transport) as client:
                yield client
    except TimeoutError as error:
        raise McpClientError(
            "timeout", f"The server did not answer within {reach.timeout:g} seconds."
        ) from error
    except SandboxError as error:
        raise McpClientError("sandbox", str(error)) from error
    except BaseException as error:
        failure = _failure(error, MCPError)
        if failure is None:
            raise
        raise failure from error


def _failure(error: BaseException, refusal: type[BaseException]) -> McpClientError | None:
    """Convert an exception of the MCP library; return None for exceptions such as cancellation."""
    for cause in _parts(error):
        if isinstance(cause, McpClientError):
            return cause
        if isinstance(cause, refusal):
            return McpClientError("refused", "The server refused the call or disconnected.")
        if isinstance(cause, TimeoutError):
            return McpClientError("timeout", "The server did not answer in time.")
    if isinstance(error, Exception):
        return McpClientError("unreachable", "The server cannot be reached.")
    return None


def _parts(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [part for each in error.exceptions for part in _parts(each)]
    return [error]


@asynccontextmanager
async def _transport(reach: McpConnection) -> AsyncIterator[Any]:
    if reach.kind == McpServerType.STDIO:
        async with _start_process(reach) as streams:
            yield streams
        return
    import httpx2
    from mcp.client.sse import sse_client
    from mcp.client.streamable_http import streamable_http_client

    if not reach.command.startswith(("http://", "https://")):
        raise McpClientError(
            "misconfigured", "The server's URL is invalid; it must start with http:// or https://."
        )
    if reach.kind == McpServerType.SSE:
        yield sse_client(reach.command, headers=_headers(reach), httpx_client_factory=_guarded_client)
        return
    timeout = httpx2.Timeout(reach.timeout)
    async with _guarded_client(_headers(reach), timeout) as client:
        yield streamable_http_client(reach.command, http_client=client)


def _guarded_client(headers: Any = None, timeout: Any = None, auth: Any = None) -> Any:
    """Return a client limited like those of models; the signature is the MCP library's."""
    hosts = settings.MODEL_HOSTS
    return guarded_client(settings.MODEL_NETWORKS, hosts=hosts, headers=headers, timeout=timeout, auth=auth)


def _headers(reach: McpConnection) -> dict[str, str]:
    given = reach.config.get("headers")
    headers = {str(name): str(value) for name, value in given.items()} if isinstance(given, dict) else {}
    if token := reach.config.get("token"):
        headers["Authorization"] = f"Bearer {token}"
    return headers


@asynccontextmanager
async def _start_process(reach: McpConnection) -> AsyncIterator[Any]:
    """Start the server in its sandbox; its standard error is discarded."""
    from mcp.client.stdio import StdioServerParameters, stdio_client

    env = {**reach.env, "MCP_CONFIG": json.dumps(reach.config)}
    argv, variables = sandbox_command(reach.command, env, reach.bounds)
    parameters = StdioServerParameters(command=argv[0], args=argv[1:], env=variables, cwd="/")
    with Path(os.devnull).open("w") as dropped:
        yield stdio_client(parameters, errlog=dropped)


def refresh_server(server: McpServer) -> McpOffers:
    """List what the server offers and store it in the registry.

    Opens short platform scopes; none is open while the server is queried.

    Raises:
        McpClientError: if the server cannot be listed; the registry keeps its old data and records the reason.
    """
    try:
        offers = async_to_sync(list_offers)(connection_for(server))
    except McpClientError as error:
        with platform_scope(reason="record that an MCP server cannot be listed", actor=ACTOR):
            record_refresh_failure(server, str(error))
        raise
    with platform_scope(reason="store what an MCP server offers", actor=ACTOR):
        store_offers(
            server,
            tools=offers.tools,
            resources=offers.resources,
            prompts=offers.prompts,
            version=offers.version,
        )
    return offers
