"""A toolset whose calls are not repeated when a turn is resumed.

Import this module lazily: it imports Pydantic AI, which takes seconds.
"""

from dataclasses import dataclass
from typing import Any

from asgiref.sync import sync_to_async
from pydantic_ai import ModelRetry, RunContext, ToolReturn
from pydantic_ai.toolsets import ToolsetTool, WrapperToolset
from pydantic_core import to_jsonable_python

from conversations.runtime.journal import current_call_key
from conversations.runtime.turns import TurnContext
from conversations.services.leases import INTERRUPTED

# Keys of a tool's metadata. Idempotent: an interrupted call may be repeated. Atomic: the tool stores its result
# in the same transaction as its effects.
IDEMPOTENT, ATOMIC = "idempotent", "atomic"


@dataclass
class DurableToolset(WrapperToolset[Any]):
    """Runs each call once and replays finished calls from the journal."""

    turn: TurnContext

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]
    ) -> Any:
        """Run the tool and store its result before the model receives it.

        Raises:
            ModelRetry: the tool asks the model to retry.
            LeaseLostError: another process has taken over.
        """
        journal = self.turn.journal
        key = f"{journal.responses}:{ctx.tool_call_id}"
        metadata = tool.tool_def.metadata or {}
        if key not in journal.results and key in journal.begun and not metadata.get(IDEMPOTENT):
            await sync_to_async(self._store_result)(key, {"result": INTERRUPTED})
        if key in journal.results:
            return _replay_result(journal.results[key])
        if not metadata.get(ATOMIC):
            await sync_to_async(self._store_call)(key, name, to_jsonable_python(tool_args))
        return await self._run(key, name, tool_args, ctx, tool)

    async def _run(self, key: str, name: str, arguments: dict[str, Any], ctx: Any, tool: Any) -> Any:
        token = current_call_key.set(key)
        try:
            result = await super().call_tool(name, arguments, ctx, tool)
        except ModelRetry as error:
            await sync_to_async(self._store_result)(key, {"retry": str(error.message)})
            raise
        finally:
            current_call_key.reset(token)
        if key not in self.turn.journal.results:
            value = result.return_value if isinstance(result, ToolReturn) else result
            await sync_to_async(self._store_result)(
                key, {"result": to_jsonable_python(value, serialize_unknown=True)}
            )
        return result

    def _store_call(self, key: str, name: str, arguments: dict[str, Any]) -> None:
        with self.turn.caller.scope():
            self.turn.journal.add_call(key, name, arguments)

    def _store_result(self, key: str, result: dict[str, Any]) -> None:
        with self.turn.caller.scope():
            self.turn.journal.add_result(key, result)


def _replay_result(entry: dict[str, Any]) -> Any:
    if "retry" in entry:
        raise ModelRetry(entry["retry"])
    return entry["result"]
