"""Tools that MCP clients use to start and read runs of workflows. `conversations.tool_registry` names them."""

from typing import Any
from uuid import UUID

from conversations.mcp.server import McpRequestError, get_caller
from conversations.runtime.journal import strip_unstorable
from workflows.runtime import run_requests

MAX_WAIT_SECONDS = 60


def list_workflows() -> list[dict[str, Any]]:
    """List the workflows that can be started, each with the JSON Schema of its input."""
    return run_requests.list_workflows(get_caller("workflows", "read"))


def start_workflow(
    workflow: str, values: dict[str, Any] | None = None, wait_seconds: int = 0
) -> dict[str, Any]:
    """Start a workflow. Returns the run with its status, and its output if it ends in time.

    Args:
        workflow: slug of the workflow.
        values: input of the workflow, which matches the schema of its input.
        wait_seconds: how long to wait for the end of the run, at most 60.
    """
    caller = get_caller("workflows", "execute")
    try:
        run_id: UUID = run_requests.start_workflow(
            caller, strip_unstorable(workflow), values or {}, origin={"actor": caller.actor}
        )
    except run_requests.RunRequestError as error:
        raise McpRequestError(str(error)) from error
    return run_requests.wait_for_run(caller, run_id, max(0, min(wait_seconds, MAX_WAIT_SECONDS)))


def read_workflow_run(run: str) -> dict[str, Any]:
    """Read the status of a run of a workflow, and its output or error.

    Args:
        run: ID of the run.
    """
    try:
        return run_requests.read_run(get_caller("workflows", "read"), run)
    except run_requests.RunRequestError as error:
        raise McpRequestError(str(error)) from error
