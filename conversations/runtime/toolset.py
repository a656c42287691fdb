"""The one place where it is decided which tools an agent has in a turn."""

import logging
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async

from conversations.runtime.failures import TurnFailed
from conversations.runtime.mcp_tools import mcp_tools_of
from conversations.runtime.tools import made_tool, tools_of

if TYPE_CHECKING:
    from conversations.runtime.turns import Turn

logger = logging.getLogger(__name__)


def toolset_for(turn: "Turn") -> list[Any]:
    """The tools of the turn's agent: `pydantic_ai` tools and toolsets, asynchronous ones only.

    A tool that uses the database wraps that with `sync_to_async` and opens a short scope of `turn.caller`.
    Each call is kept in the turn's journal. A call that was under way when its process died runs again when the
    tool's `metadata` says `{"idempotent": True}`; else the model is told that it was interrupted.
    """
    return [_search_knowledge(turn), *tools_of(turn), *mcp_tools_of(turn)]


def _search_knowledge(turn: "Turn") -> Any:
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

    return made_tool(search_knowledge, "search_knowledge", metadata={"idempotent": True, "atomic": True})
