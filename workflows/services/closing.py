"""Steps that close a failed run: compensations in reverse order, then those of `on_failure`.

Call these functions in the scope of the tenant. Each belongs to the caller's transaction.
"""

from typing import Any
from uuid import UUID

from config.db.prepared import run_prepared
from workflows.choices import ExecutionStatus, StepStatus
from workflows.language.plan import Plan
from workflows.models import WorkflowExecution
from workflows.services.commits import encode
from workflows.services.runs import cancel_children, end_run, list_latest_attempts

CLOSE_SQL = "SELECT workflows_close_run(%(tenant)s, %(run)s, %(message)s, %(spec)s::jsonb)"


def fail_run(tenant_id: UUID, execution_id: UUID, plan: Plan | None, message: str) -> None:
    """End a run as failed, after its compensations and its steps of `on_failure`; without a plan, at once."""
    spec = _find_closing_step(execution_id, plan) if plan else None
    if spec is None:
        end_run(tenant_id, execution_id, ExecutionStatus.FAILED, message=message)
        return
    cancel_children(execution_id)
    values = {"tenant": tenant_id, "run": execution_id, "message": message, "spec": encode(spec)}
    run_prepared(CLOSE_SQL, values)


def close_step(execution_id: UUID, plan: Plan, step_id: str) -> list[dict[str, Any]]:
    """Return the step behind a closing step, as the successors of a commit; none ends the run."""
    spec = _find_closing_step(execution_id, plan, step_id)
    return [spec] if spec else []


def end_closed_run(tenant_id: UUID, execution_id: UUID) -> None:
    """End a run as failed whose closing steps are finished."""
    message = WorkflowExecution.objects.values_list("error_message", flat=True).get(pk=execution_id)
    end_run(tenant_id, execution_id, ExecutionStatus.FAILED, message=message)


def _find_closing_step(execution_id: UUID, plan: Plan, done: str = "") -> dict[str, Any] | None:
    """Return the next step that closes a run: compensations, latest completed step first, then `on_failure`."""
    if not plan.compensations and not plan.on_failure:
        return None
    latest = {row.step_id: row for row in list_latest_attempts(execution_id)}
    completed = [row for row in latest.values() if row.status == StepStatus.COMPLETED]
    completed.sort(key=lambda row: (row.completed_at, row.pk), reverse=True)
    undone = [plan.compensations[row.step_id] for row in completed if row.step_id in plan.compensations]
    for name in (*undone, *plan.on_failure):
        if name not in latest and name != done:
            return plan.specify(name)
    return None
