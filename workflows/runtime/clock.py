"""The clock of the workers: each second it wakes what is due, and every ten seconds it frees what was lost.

Any number of clocks can run: each skips the rows that another one has locked.
"""

import logging
import time
from collections.abc import Callable, Iterable
from uuid import UUID

from django.utils import timezone

from config.tenancy.scope import tenant_scope
from workflows.choices import ExecutionStatus
from workflows.models import WorkflowExecution
from workflows.runtime.lanes import ACTOR
from workflows.services.closing import fail_run
from workflows.services.plans import PlanError, get_plan
from workflows.services.wakeups import list_due_tenants, list_lost_tenants, repair_lanes, wake_steps

REPAIR_SECONDS = 10.0
MAX_RUNS = 100
_repaired = 0.0
logger = logging.getLogger(__name__)


def tick() -> None:
    """Do the work that is due. Call it outside any scope, as the worker."""
    global _repaired
    _call_for_tenants(tick_tenant, list_due_tenants())
    if time.monotonic() - _repaired < REPAIR_SECONDS:
        return
    _repaired = time.monotonic()
    _call_for_tenants(repair_tenant, list_lost_tenants())


def _call_for_tenants(function: Callable[[UUID], None], tenants: Iterable[UUID]) -> None:
    """Call a function for each tenant. The failure of one affects no other."""
    for tenant_id in tenants:
        try:
            function(tenant_id)
        except Exception:
            logger.exception("%s failed for tenant %s; the clock retries", function.__name__, tenant_id)


def repair_tenant(tenant_id: UUID) -> None:
    """Free the tenant's lanes and steps that no job runs."""
    with tenant_scope(tenant_id, actor=ACTOR):
        repair_lanes(tenant_id)


def tick_tenant(tenant_id: UUID) -> None:
    """Wake the tenant's due steps, and end the runs whose time is over."""
    with tenant_scope(tenant_id, actor=ACTOR):
        wake_steps(tenant_id)
        due = WorkflowExecution.objects.filter(
            status=ExecutionStatus.RUNNING,
            completed_at=None,
            deadline_at__lte=timezone.now(),
        ).select_for_update(skip_locked=True, no_key=True)
        overdue = list(due.values_list("pk", "workflow_version_id")[:MAX_RUNS])
    for execution_id, version_id in overdue:
        with tenant_scope(tenant_id, actor=ACTOR):
            try:
                plan = get_plan(tenant_id, version_id)
            except PlanError:
                plan = None
            fail_run(tenant_id, execution_id, plan, "The run exceeded its time limit.")
