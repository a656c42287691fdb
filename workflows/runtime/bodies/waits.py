"""Bodies of steps that wait: for a time, an event or another run."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from config.db.ids import uuid7_floor
from tenants.models import OutboxEvent
from workflows.choices import ExecutionStatus, StepKind
from workflows.language.values import to_seconds
from workflows.models import Workflow, WorkflowExecution
from workflows.runtime.event_matching import as_event, matches_event
from workflows.runtime.step_bodies import StepContext, StepError, StepResult, Wait, register_body
from workflows.services.backend import backend
from workflows.services.nesting import check_depth
from workflows.services.step_rows import find_child, get_start

# An event may come a moment before the step begins to wait for it.
LOOK_BACK = timedelta(hours=1)
# An event whose transaction ends while the step begins to wait is found by a second look.
SECOND_LOOK = timedelta(seconds=5)
MAX_EVENTS = 1000


@register_body(StepKind.DELAY)
def run_delay(context: StepContext) -> StepResult | Wait:
    """Wait for `seconds`, or until a timestamp."""
    if context.waited:
        return StepResult()
    if (seconds := context.config["seconds"]) is not None:
        return Wait(timezone.now() + timedelta(seconds=_to_number(seconds)))
    moment = _to_time(context.config["until"])
    return Wait(moment) if moment > timezone.now() else StepResult()


def _to_number(value: Any) -> float:
    try:
        return to_seconds(value) if value else 0.0
    except (TypeError, ValueError) as error:
        raise StepError("invalid_delay", f"seconds: {error}.", retryable=False) from error


def _to_time(value: Any) -> datetime:
    try:
        moment = parse_datetime(str(value))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise StepError("invalid_delay", "until: enter a timestamp with a time zone.", retryable=False)
    return moment


@register_body(StepKind.WAIT_EVENT)
def run_wait_event(context: StepContext) -> StepResult | Wait:
    """Wait for an event for which `correlate` is true, or until the timeout."""
    limit = context.config["timeout"]
    with context.scope():
        started_at = get_start(context.step_execution_id)
        for event in list_events(context.config["event"], started_at, bool(context.config["correlate"])):
            if matches_event(context.config["correlate"], context.data, event):
                return StepResult(event)
    deadline = started_at + timedelta(seconds=to_seconds(limit)) if limit else None
    now = timezone.now()
    if deadline is not None and deadline <= now:
        raise StepError("timeout", "The event did not arrive in time.", retryable=False)
    if not context.waited:
        deadline = min(deadline or now + SECOND_LOOK, now + SECOND_LOOK)
    return Wait(deadline, f"event:{context.config['event']}")


def list_events(name: str, started_at: datetime, correlated: bool) -> Iterator[dict[str, Any]]:
    """Yield the latest events of a type, oldest first.

    Args:
        correlated: also include those shortly before the step began to wait.
    """
    since = started_at - LOOK_BACK if correlated else started_at
    events = OutboxEvent.objects.filter(type=name, id__gte=uuid7_floor(since)).order_by("-id")[:MAX_EVENTS]
    yield from (as_event(event) for event in reversed(events))


@register_body(StepKind.WORKFLOW)
def run_workflow(context: StepContext) -> StepResult | Wait:
    """Start another workflow, and wait for its end unless `wait` is false."""
    with context.scope():
        child = find_child(context.step_execution_id)
    if not context.config["wait"]:
        if child is None:
            with context.scope():
                child = start_child(context)
        return StepResult({"run_id": str(child.pk)})
    if child is None:
        return Wait(correlation="run", begin=lambda: start_child(context))
    if child.completed_at is None:
        return Wait(correlation="run")
    if child.status != ExecutionStatus.COMPLETED:
        text = (
            f"The run of {context.config['workflow']} ended as {child.status}. {child.error_message}".strip()
        )
        raise StepError("run_failed", text, retryable=child.status == ExecutionStatus.FAILED)
    return StepResult(child.output_data)


def start_child(context: StepContext, *, trigger_data: dict[str, Any] | None = None) -> WorkflowExecution:
    """Start the run of a workflow step. Call it in the scope.

    Raises:
        StepError: the workflow does not exist or refuses the input, or the runs are nested too deeply.
    """
    slug = context.config["workflow"]
    try:
        check_depth(context.execution_id)
    except ValidationError as error:
        raise StepError("too_deep", error.message, retryable=False) from error
    workflow = Workflow.objects.filter(slug=slug).first()
    if workflow is None:
        raise StepError("workflow_missing", f"The workflow {slug} does not exist.", retryable=False)
    try:
        return backend.start(
            workflow,
            input_data=context.config["input"],
            version=choose_version(workflow, context.config["version"]),
            trigger_data=trigger_data,
            user_id=context.user_id,
            parent_step_id=context.step_execution_id,
        )
    except ValidationError as error:
        raise StepError("start_refused", f"{slug}: {' '.join(error.messages)}", retryable=False) from error


def choose_version(workflow: Workflow, version: str | int) -> Any:
    """Return the version of a number, or None for the latest."""
    if isinstance(version, int):
        found = workflow.versions.filter(version=version).first()
        if found is None:
            raise StepError("workflow_missing", f"{workflow.slug} has no version {version}.", retryable=False)
        return found
    return None
