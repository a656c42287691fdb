"""The tools that an agent has in a turn."""

import logging
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async

from conversations.runtime.exceptions import TurnError
from conversations.runtime.mcp_tools import build_mcp_tools
from conversations.runtime.tools import build_tool, build_tools

if TYPE_CHECKING:
    from conversations.runtime.turns import Turn

logger = logging.getLogger(__name__)


def build_toolset(turn: "Turn") -> list[Any]:
    """Return the agent's tools as asynchronous Pydantic AI tools and toolsets.

    Tools wrap database access in `sync_to_async` and open a short scope of `turn.caller`. Each call is journaled.
    A call that was running when its process died is repeated if the tool's metadata has `{"idempotent": True}`;
    otherwise the model receives an error that the call was interrupted.
    """
    return [_build_search_tool(turn), *build_tools(turn), *build_mcp_tools(turn)]


def _build_search_tool(turn: "Turn") -> Any:
    async def search_knowledge(query: str) -> list[dict[str, Any]]:
        """Search what you know. Returns numbered passages, best first.

        Args:
            query: what to look for, in natural language.
        """
        try:
            return await sync_to_async(turn.search)(query)
        except Exception as error:
            logger.exception("search failed")
            raise TurnError("search_failed", "The knowledge base could not be searched.") from error

    return build_tool(search_knowledge, "search_knowledge", metadata={"idempotent": True, "atomic": True})
