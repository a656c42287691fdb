"""Runs of workflows: start, end and the answers that they wait for.

Call these functions in the scope of the tenant. Each belongs to the caller's transaction.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils import timezone

from config.db.ids import uuid7
from config.db.prepared import run_prepared
from config.tenancy.scope import require_scope, require_tenant_id
from conversations.runtime.structured_output import AnswerValidationError, list_validation_errors
from tenants.event_types import RunCompletedEvent
from tenants.services.outbox import publish
from workflows.choices import ExecutionStatus, StepStatus, TriggerType, WorkflowStatus
from workflows.language.definition import Concurrency
from workflows.language.expressions import ExpressionError, resolve
from workflows.language.plan import Plan
from workflows.models import StepExecution, Workflow, WorkflowExecution, WorkflowTrigger, WorkflowVersion
from workflows.services.commits import encode, resume_step
from workflows.services.lookup import get_latest_version
from workflows.services.plans import get_plan
from workflows.services.waiting_steps import defer_cancellations

if TYPE_CHECKING:
    from workflows.runtime.step_bodies import StepError

MAX_ERRORS = 5
LOCK_SQL = "SELECT pg_advisory_xact_lock(hashtextextended(%(key)s, 0))::text"
BEGIN_SQL = "SELECT workflows_begin_run(%(tenant)s, %(run)s, %(steps)s::jsonb)"
END_SQL = (
    "SELECT ended, workflow, parent FROM workflows_end_run"
    "(%(tenant)s, %(run)s, %(outcome)s, %(output)s::jsonb, %(message)s)"
)

PAUSE_SQL = "SELECT workflows_pause_run(%(tenant)s, %(run)s)"
RESUME_SQL = "SELECT workflows_resume_run(%(tenant)s, %(run)s)"
REDRIVE_SQL = (
    "SELECT workflows_redrive_run(%(tenant)s, %(run)s, %(steps)s::uuid[], %(seconds)s::float8, %(renewed)s)"
)


def start_run(
    workflow: Workflow,
    *,
    input_data: Mapping[str, Any] | None = None,
    version: WorkflowVersion | None = None,
    trigger: WorkflowTrigger | None = None,
    trigger_type: str = TriggerType.MANUAL,
    trigger_data: Mapping[str, Any] | None = None,
    user_id: UUID | None = None,
    priority: int = 0,
    parent_step_id: UUID | None = None,
) -> WorkflowExecution:
    """Start a run; its first steps run after the transaction.

    Args:
        version: version to run, by default the latest.
        parent_step_id: waiting step of another run that the end of this run resumes.

    Raises:
        ValidationError: the workflow is not active or not published, or the input violates its schema.
    """
    tenant_id = require_tenant_id()
    version = _choose_version(workflow, version)
    plan = get_plan(tenant_id, version.pk)
    values = dict(input_data or {})
    check_input(plan.definition.input, values)
    run = WorkflowExecution(
        workflow=workflow,
        workflow_version=version,
        trigger=trigger,
        trigger_type=trigger_type,
        trigger_data=trigger_data,
        user_id=user_id,
        input_data=values,
        parent_step_id=parent_step_id,
        priority=priority,
    )
    _begin(run, plan)
    return run


def _begin(run: WorkflowExecution, plan: Plan) -> None:
    """Store the run with its first steps."""
    run.id = uuid7()
    run.tenant_id = require_tenant_id()
    run.status = ExecutionStatus.RUNNING
    if plan.definition.concurrency:
        run.concurrency_key = _get_concurrency_key(plan, run)
        run.status = admit_run(run, plan.definition.concurrency)
    if run.status == ExecutionStatus.CANCELLED:
        run.completed_at, run.error_message = timezone.now(), "Skipped: the limit of runs is reached."
    run.steps_total = len(plan.needs)
    run.engagement_id = require_scope().engagement_id
    run.deadline_at = timezone.now() + plan.time_limit
    run.save(force_insert=True)
    if run.status == ExecutionStatus.CANCELLED:
        return
    values = {"tenant": run.tenant_id, "run": run.pk, "steps": encode(plan.list_first())}
    run_prepared(BEGIN_SQL, values)


def _choose_version(workflow: Workflow, version: WorkflowVersion | None) -> WorkflowVersion:
    if workflow.status != WorkflowStatus.ACTIVE or workflow.deleted_at is not None:
        raise ValidationError({"workflow": "Only active workflows can start."})
    version = version or get_latest_version(workflow)
    if version is None:
        raise ValidationError({"workflow": "Publish the workflow first."})
    if version.workflow_id != workflow.pk:
        raise ValidationError({"version": "The version belongs to another workflow."})
    return version


def _get_concurrency_key(plan: Plan, run: WorkflowExecution) -> str:
    data = {"input": run.input_data, "config": dict(plan.config), "trigger": run.trigger_data or {}}
    limit: Any = plan.definition.concurrency
    try:
        return str(resolve(limit.key, data))[:255] or "*"
    except ExpressionError as error:
        raise ValidationError({"concurrency": f"key: {error}"}) from error


def admit_run(run: WorkflowExecution, limit: Concurrency) -> str:
    """Return the status of a new run under the limit of runs with its key.

    Locks the key until the end of the transaction, so that concurrent starts do not exceed the limit together.
    """
    same = WorkflowExecution.objects.filter(
        workflow_id=run.workflow_id, concurrency_key=run.concurrency_key, completed_at=None
    ).exclude(status=ExecutionStatus.PENDING)
    if limit.on_limit == "cancel_running":
        # Before the lock, which the end of a run takes after its own.
        for other in same.order_by("-id").values_list("pk", flat=True)[limit.limit - 1 :]:
            cancel_run(other)
    run_prepared(LOCK_SQL, {"key": f"conclave.runs.{run.workflow_id}{run.concurrency_key}"})
    if same.count() < limit.limit:
        return ExecutionStatus.RUNNING
    return ExecutionStatus.CANCELLED if limit.on_limit == "skip" else ExecutionStatus.PENDING


def check_input(schema: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Validate the input of a run.

    Raises:
        ValidationError: it violates the JSON Schema; each message names the path of the value.
    """
    try:
        found = list_validation_errors(dict(schema), values)
    except AnswerValidationError as error:
        raise ValidationError({"input": str(error)}) from error
    errors = [f"{'.'.join(path)}: {message}" if path else message for path, message in found[:MAX_ERRORS]]
    if errors:
        raise ValidationError({"input": errors})


def end_run(
    tenant_id: UUID, execution_id: UUID, outcome: str, *, output: Any = None, message: str = ""
) -> bool:
    """End a run: cancel its other steps, count it, publish the event and resume the step that waits for it.

    Returns:
        False if the run had ended before.
    """
    values = {
        "tenant": tenant_id,
        "run": execution_id,
        "outcome": outcome,
        "output": None if output is None else encode(output),
        "message": message,
    }
    if outcome != ExecutionStatus.COMPLETED:
        cancel_children(execution_id)
        defer_cancellations(tenant_id, execution_id)
    ((ended, workflow_id, parent_step_id),) = run_prepared(END_SQL, values)
    if not ended:
        return False
    publish(RunCompletedEvent(run_id=execution_id, workflow_id=workflow_id, status=outcome))
    if parent_step_id:
        resume_step(tenant_id, parent_step_id, None)
    return True


def cancel_children(execution_id: UUID) -> None:
    """Cancel the runs that steps of a run wait for."""
    runs = WorkflowExecution.objects.filter(completed_at=None, parent_step__status=StepStatus.WAITING)
    for child in runs.filter(parent_step__execution_id=execution_id):
        message = "The run that waits for it ended."
        end_run(child.tenant_id, child.pk, ExecutionStatus.CANCELLED, message=message)


def cancel_run(execution_id: UUID) -> bool:
    """Cancel a run and the runs that it waits for; bodies under way stop. False: it has ended."""
    return end_run(require_tenant_id(), execution_id, ExecutionStatus.CANCELLED)


def pause_run(execution_id: UUID) -> bool:
    """Start no further steps of a run; steps under way end. False: the run is not in progress."""
    ((paused,),) = run_prepared(PAUSE_SQL, {"tenant": require_tenant_id(), "run": execution_id})
    return bool(paused)


def resume_run(execution_id: UUID) -> bool:
    """Continue a paused run. False: the run is not paused."""
    ((resumed,),) = run_prepared(RESUME_SQL, {"tenant": require_tenant_id(), "run": execution_id})
    return bool(resumed)


def redrive_run(execution_id: UUID, *, again: bool = False) -> WorkflowExecution:
    """Start the failed and cancelled steps of a run again; completed steps stay.

    Args:
        again: use new idempotency keys, so that other systems repeat the effects.

    Raises:
        WorkflowExecution.DoesNotExist: the scope has no such run.
        ValidationError: the run did not fail, or its steps were compensated.
    """
    run = WorkflowExecution.objects.get(pk=execution_id)
    if run.workflow_version_id is None:
        raise ValidationError({"run": "The version of the run was deleted."})
    plan = get_plan(run.tenant_id, run.workflow_version_id)
    latest = list_latest_attempts(execution_id)
    if any(row.step_id in plan.compensations.values() for row in latest):
        raise ValidationError({"run": "The run was compensated. Start a new run."})
    failed = [row.pk for row in latest if row.step_id in plan.needs and _is_open(plan, row)]
    values = {
        "tenant": run.tenant_id,
        "run": run.pk,
        "steps": failed,
        "seconds": plan.timeout,
        "renewed": again,
    }
    if not failed or not run_prepared(REDRIVE_SQL, values)[0][0]:
        raise ValidationError(
            {"run": "Only failed and cancelled runs can start again from their failed steps."}
        )
    run.refresh_from_db()
    return run


def _is_open(plan: Plan, row: StepExecution) -> bool:
    """Return whether the run ended before this step was finished."""
    if row.status == StepStatus.FAILED:
        handled = plan.continues_after(row.step_id, row.error_code)
        return row.error_code == "interrupted" or not handled
    return row.status == StepStatus.CANCELLED


def list_latest_attempts(execution_id: UUID) -> list[StepExecution]:
    """Return the latest attempt of each step outside maps."""
    rows = StepExecution.objects.filter(execution_id=execution_id, item=-1).order_by("step_id", "-attempt")
    return list(rows.distinct("step_id"))


def complete_waiting_step(
    step_execution_id: UUID, *, output: Any = None, error: "StepError | None" = None
) -> bool:
    """End the wait of a step with an output or error, which a lane commits.

    Returns:
        False if the step no longer waits.
    """
    result: dict[str, Any] = {"output": output}
    if error is not None:
        result = {"error": {"code": error.code, "message": error.message, "retryable": error.retryable}}
    return resume_step(require_tenant_id(), step_execution_id, result)


def signal_event(correlation: str, data: Any) -> int:
    """End the waits of the tenant's steps with this correlation key; return their number."""
    waiting = StepExecution.objects.filter(status="waiting", correlation=correlation)
    found = waiting.values_list("pk", flat=True)
    return sum(complete_waiting_step(step, output=data) for step in list(found))
