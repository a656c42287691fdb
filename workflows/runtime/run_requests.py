"""Runs that agents and MCP clients start and read."""

import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import ApiKey
from accounts.services.tenant_access import list_tenant_access, parse_text_list
from config.api.scopes import allows
from config.db.connections import release_connections
from config.serving.threads import outside_pool
from conversations.runtime.journal import strip_unstorable_json
from conversations.runtime.turns import Caller
from workflows.choices import ENDED_RUNS, WorkflowStatus
from workflows.models import Workflow, WorkflowExecution, WorkflowVersion
from workflows.services.backend import backend
from workflows.services.nesting import STARTED_BY, check_depth

MAX_WORKFLOWS = 100
MAX_WAIT_SECONDS = 300
POLL_SECONDS = 0.5


class RunRequestError(ValueError):
    """A refused request; the message is for models and clients."""


def require_permission(caller: Caller, verb: str) -> None:
    """Check that the user of the caller, and the API key if it is one, have a permission on workflows.

    Call it outside any scope.

    Raises:
        RunRequestError: the permission is missing.
    """
    rows = list_tenant_access(caller.user_id) if caller.user_id else []
    access = next((each for each in rows if each.tenant_id == caller.tenant_id), None)
    scopes = [access.scopes] if access else []
    kind, _, identifier = caller.actor.partition(":")
    if access and kind == "key":
        with caller.scope():
            stored = ApiKey.objects.filter(pk=identifier).values_list("scopes", flat=True).first()
        scopes.append(frozenset(parse_text_list(stored)))
    if not scopes or not all(allows(each, "workflows", verb) for each in scopes):
        raise RunRequestError(f"This requires the permission workflows:{verb}.")


def list_workflows(caller: Caller) -> list[dict[str, Any]]:
    """Return the active, published workflows with the JSON Schema of their input."""
    with caller.scope():
        rows = list(_startable().order_by("slug")[:MAX_WORKFLOWS])
        versions = WorkflowVersion.objects.filter(workflow__in=rows).order_by("workflow_id", "-version")
        latest = {each.workflow_id: each for each in versions.distinct("workflow_id")}
    return [
        {
            "slug": row.slug,
            "name": row.name,
            "description": row.description,
            "input": latest[row.pk].snapshot.get("definition", {}).get("input") or {},
        }
        for row in rows
    ]


def _startable() -> QuerySet[Workflow]:
    versions = WorkflowVersion.objects.filter(workflow_id=OuterRef("pk"))
    return Workflow.objects.filter(Exists(versions), status=WorkflowStatus.ACTIVE, deleted_at=None)


def start_workflow(
    caller: Caller,
    slug: str,
    values: Mapping[str, Any],
    *,
    origin: Mapping[str, Any],
    parent_run: UUID | None = None,
) -> UUID:
    """Start a run for the caller's user and return its ID.

    Args:
        origin: IDs of the conversation and the message that asked for the run.
        parent_run: run whose agent asks.

    Raises:
        RunRequestError: the workflow is not found, its input is invalid, or the runs are nested too deeply.
    """
    with caller.scope():
        workflow = _startable().filter(slug=slug).first()
        if workflow is None:
            raise RunRequestError(f"The workflow {slug[:100]} does not exist, or cannot be started.")
        data = dict(origin)
        try:
            if parent_run and WorkflowExecution.objects.filter(pk=parent_run).exists():
                check_depth(parent_run)
                data[STARTED_BY] = str(parent_run)
            run = backend.start(
                workflow,
                input_data=strip_unstorable_json(dict(values)),
                trigger_data=data,
                user_id=caller.user_id,
            )
        except ValidationError as error:
            raise RunRequestError("; ".join(error.messages)) from error
        run_id: UUID = run.pk
        return run_id


def read_run(caller: Caller, run_id: str) -> dict[str, Any]:
    """Return status, output and error of a run.

    Raises:
        RunRequestError: the run does not exist.
    """
    try:
        pk = UUID(run_id)
    except ValueError:
        pk = UUID(int=0)
    with caller.scope():
        run = backend.describe(pk)
    if run is None:
        raise RunRequestError("Run not found.")
    return {
        "run": str(run.run_id),
        "workflow": run.workflow,
        "status": run.status,
        "output": run.output,
        "error": run.error,
    }


def wait_for_run(caller: Caller, run_id: UUID, seconds: float) -> dict[str, Any]:
    """Return the state of the run when it has ended, or after `seconds`. Call it outside any scope."""
    end = time.monotonic() + min(seconds, MAX_WAIT_SECONDS)
    while True:
        found = read_run(caller, str(run_id))
        left = end - time.monotonic()
        if found["status"] in ENDED_RUNS or left <= 0:
            return found
        release_connections()
        with outside_pool():
            time.sleep(min(POLL_SECONDS, left))
