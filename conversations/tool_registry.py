"""Tools that later apps offer to agents and MCP clients, by dotted path, so that registering imports nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class RegisteredTool:
    """A tool of agents: `path` names a function that builds it for a turn.

    An interrupted call of an idempotent tool is repeated.
    """

    path: str
    is_idempotent: bool

    def build(self, turn: Any) -> Callable[..., Any]:
        """Return the asynchronous function for Pydantic AI, whose first argument is `ctx`."""
        function: Callable[..., Any] = import_string(self.path)(turn)
        return function


agent_tools: dict[str, RegisteredTool] = {}
_mcp_tools: dict[str, None] = {}


def register_agent_tool(name: str, path: str, *, is_idempotent: bool) -> None:
    """Offer the tool to agents that list `name`, a member of `WorkflowTool`."""
    agent_tools[name] = RegisteredTool(path, is_idempotent)


def register_mcp_tool(path: str) -> None:
    """Offer the function to MCP clients; its signature and docstring describe the tool."""
    _mcp_tools[path] = None


def load_mcp_tools() -> list[Callable[..., Any]]:
    """Import the functions offered to MCP clients."""
    return [import_string(path) for path in _mcp_tools]
