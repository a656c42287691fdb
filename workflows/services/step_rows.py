"""Reads of the rows of steps and runs by bodies of steps; every backend writes these rows.

Call these functions in the scope of the tenant.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from workflows.choices import StepStatus
from workflows.models import StepExecution, WorkflowExecution


def get_run_input(execution_id: UUID) -> Any:
    """Return the input of a run."""
    return WorkflowExecution.objects.filter(pk=execution_id).values_list("input_data", flat=True).first()


def get_start(step_execution_id: UUID) -> datetime:
    """Return the time at which the attempt began."""
    return StepExecution.objects.values_list("started_at", flat=True).get(pk=step_execution_id)


def is_running(step_execution_id: UUID) -> bool:
    """Return whether the attempt runs, in this process or in another one that took it over."""
    rows = StepExecution.objects.filter(pk=step_execution_id, status=StepStatus.RUNNING)
    return rows.filter(execution__completed_at=None).exists()


def find_child(step_execution_id: UUID) -> WorkflowExecution | None:
    """Return the latest run that the step started."""
    return WorkflowExecution.objects.filter(parent_step_id=step_execution_id).order_by("-id").first()
