"""The action `run` of `manage.py workflow`: start a run and follow it."""

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError

from config.tenancy.scope import tenant_scope
from tenants.services.lookup import get_tenant_by_slug
from workflows.choices import ExecutionStatus
from workflows.models import WorkflowEvent, WorkflowExecution
from workflows.services.backend import backend
from workflows.services.lookup import get_version, get_workflow
from workflows.services.run_events import follow_events

ACTOR = "system:workflow"
# Without any event for so long, the command says that no worker may be running.
HINT_SECONDS = 10


def add_arguments(parser: Any) -> None:
    """Add the options of the action."""
    parser.add_argument("slug", metavar="WORKFLOW", help="Slug of the workflow.")
    parser.add_argument("--tenant", required=True, help="Slug of the tenant.")
    given = parser.add_mutually_exclusive_group()
    given.add_argument("--input", help="Input of the run as a JSON object.")
    given.add_argument("--input-file", type=Path, help="File with the input as a JSON object.")
    parser.add_argument("--version-number", type=int, help="Published version; default: the latest.")
    parser.add_argument("--no-wait", action="store_true", help="Print the ID of the run and exit.")


def run_workflow(options: dict[str, Any], write: Callable[[str], Any]) -> None:
    """Start a run, print its events until it ends, and then its output.

    Raises:
        CommandError: input of another type than object, or a run that did not complete.
        ObjectDoesNotExist: the tenant has no such workflow or version.
        ValidationError: the workflow is not active or not published, or the input violates its schema.
    """
    values = _read_input(options)
    scope = partial(tenant_scope, get_tenant_by_slug(options["tenant"]), actor=ACTOR)
    with scope():
        workflow = get_workflow(options["slug"])
        version = get_version(workflow, options["version_number"])
        run_id = backend.start(workflow, input_data=values, version=version).pk
    write(f"run {run_id}")
    if not options["no_wait"]:
        _follow(scope, run_id, write)


def _read_input(options: dict[str, Any]) -> dict[str, Any]:
    file = options["input_file"]
    try:
        values = json.loads(file.read_text(encoding="utf-8") if file else options["input"] or "{}")
    except ValueError as error:
        raise CommandError(f"The input is not valid JSON: {error}") from error
    if not isinstance(values, dict):
        raise CommandError("The input must be a JSON object.")
    return values


def _follow(
    scope: Callable[[], AbstractContextManager[Any]], run_id: UUID, write: Callable[[str], Any]
) -> None:
    began, is_alone = time.monotonic(), True
    for event in follow_events(scope, run_id, 0):
        if event is not None:
            is_alone = is_alone and not event.kind.startswith("step.")
            write(_describe(event))
        elif is_alone and time.monotonic() - began >= HINT_SECONDS:
            is_alone = False
            write("No step has run yet. Start a worker with: manage.py worker")
    with scope():
        run = WorkflowExecution.objects.get(pk=run_id)
    if run.status != ExecutionStatus.COMPLETED:
        raise CommandError(f"The run is {run.status}. {run.error_message}".rstrip())
    write(json.dumps(run.output_data, indent=2, sort_keys=True, ensure_ascii=False))


def _describe(event: WorkflowEvent) -> str:
    step = event.data.get("step_id", "")
    return f"{event.created_at:%H:%M:%S} {event.kind:16} {step}".rstrip()
