"""Helpers for tests of workflows."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from config.tenancy.scope import tenant_scope
from workflows.choices import LaneStatus, StepStatus
from workflows.models import StepExecution, WorkflowLane
from workflows.runtime.clock import tick_tenant
from workflows.runtime.lanes import run_lane

MAX_JOBS = 10_000


def run_lanes(tenant: Any) -> int:
    """Run the queued lanes of a tenant in this process until all are idle, and return the number of jobs.

    Call it outside any scope. Steps that wait for a time wait for the clock (`workflows.runtime.clock`).
    """
    for count in range(MAX_JOBS):
        with tenant_scope(tenant, actor="system:test"):
            queued = WorkflowLane.objects.filter(status=LaneStatus.QUEUED).order_by("job")
            row = queued.values_list("tenant_id", "lane", "job").first()
        if row is None:
            return count
        run_lane(*row)
    raise AssertionError(f"the lanes are not idle after {MAX_JOBS} jobs")


def skip_waits(tenant: Any) -> None:
    """End the waits for a time of all steps of a tenant, as if the time were over, and run the lanes."""
    with tenant_scope(tenant, actor="system:test"):
        waiting = StepExecution.objects.filter(status=StepStatus.WAITING, wake_at__isnull=False)
        waiting.update(wake_at=timezone.now() - timedelta(seconds=1))
        tenant_id = getattr(tenant, "pk", tenant)
    tick_tenant(tenant_id)
    run_lanes(tenant)
