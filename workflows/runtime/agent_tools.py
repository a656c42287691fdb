"""Tools of agents for workflows. `conversations.tool_registry` names them."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async

from agents.runtime.builtin_tools import ToolError
from config.db.connections import release_connections
from conversations.runtime.tools import run_recorded
from conversations.runtime.turns import TurnContext
from workflows.choices import ENDED_RUNS
from workflows.runtime import run_requests
from workflows.runtime.run_requests import RunRequestError, require_permission

# The call must end before the time limit of the tool.
MARGIN_SECONDS = 2


def build_list_workflows(turn: TurnContext) -> Callable[..., Any]:
    async def list_workflows(ctx: Any) -> Any:
        """List the workflows that can be started, each with the JSON Schema of its input."""

        async def body() -> Any:
            return await _call(turn, "read", run_requests.list_workflows)

        return await run_recorded(turn, ctx, {}, body)

    return list_workflows


def build_start_workflow(turn: TurnContext) -> Callable[..., Any]:
    async def start_workflow(
        ctx: Any, workflow: str, values: dict[str, Any] | None = None, wait_seconds: int = 0
    ) -> Any:
        """Start a workflow. Returns the run with its status, and its output if it ends in time.

        Args:
            workflow: slug of the workflow.
            values: input of the workflow, which matches the schema of its input.
            wait_seconds: how long to wait for the end of the run.
        """

        async def body() -> Any:
            origin = {"conversation_id": str(turn.conversation_id), "message_id": str(turn.answer_id)}
            start = partial(run_requests.start_workflow, origin=origin, parent_run=turn.flow_id)
            run_id = await _call(turn, "execute", start, workflow, values or {})
            return await _wait(turn, str(run_id), min(wait_seconds, turn.agent.tool_timeout - MARGIN_SECONDS))

        arguments = {"workflow": workflow, "values": values or {}, "wait_seconds": wait_seconds}
        return await run_recorded(turn, ctx, arguments, body)

    return start_workflow


def build_read_workflow_run(turn: TurnContext) -> Callable[..., Any]:
    async def read_workflow_run(ctx: Any, run: str) -> Any:
        """Read the status of a run of a workflow, and its output or error.

        Args:
            run: ID of the run.
        """

        async def body() -> Any:
            return await _call(turn, "read", run_requests.read_run, run)

        return await run_recorded(turn, ctx, {"run": run}, body)

    return read_workflow_run


async def _wait(turn: TurnContext, run_id: str, seconds: float) -> dict[str, Any]:
    """Return the state of the run when it has ended, or after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        found: dict[str, Any] = await sync_to_async(run_requests.read_run)(turn.caller, run_id)
        left = end - time.monotonic()
        if found["status"] in ENDED_RUNS or left <= 0:
            return found
        await sync_to_async(release_connections)()
        await asyncio.sleep(min(run_requests.POLL_SECONDS, left))


async def _call(turn: TurnContext, verb: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function with the caller, who needs the permission on workflows.

    Raises:
        ToolError: the request is refused.
    """

    def call() -> Any:
        try:
            require_permission(turn.caller, verb)
            return function(turn.caller, *arguments)
        except RunRequestError as error:
            raise ToolError(str(error)) from error

    return await sync_to_async(call)()
