"""Retention: the runs of a tenant are deleted some days after their end.

The tenant's `workflow_retention_days` apply, else those of its plan. `Tenant.settings["workflows"]["retention_days"]`
can shorten the time.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import Q

from config.db.ids import uuid7_floor
from config.tenancy.scope import platform_scope, tenant_scope
from knowledge.services.files import delete_file
from workflows.models import StepExecution, WorkflowExecution

ACTOR = "system:upkeep"
# Runs that a transaction deletes, with their steps, items, approvals and events.
PORTION = 100
DAYS_SQL = """
SELECT id, days FROM (
  SELECT t.id, least(coalesce(t.workflow_retention_days, p.workflow_retention_days),
    CASE WHEN t.settings #>> '{workflows,retention_days}' ~ '^[1-9][0-9]{0,3}$'
      THEN (t.settings #>> '{workflows,retention_days}')::integer END) AS days
  FROM tenants_tenant t LEFT JOIN tenants_subscriptionplan p ON p.id = tenants_plan_of(t.id)) AS limits
WHERE days IS NOT NULL
"""


def expire_runs(now: datetime) -> int:
    """Delete the runs of all tenants whose retention has ended, and return their number. Call it outside any scope."""
    with platform_scope(reason="find expired workflow runs", actor=ACTOR), connection.cursor() as cursor:
        cursor.execute(DAYS_SQL)
        found = cursor.fetchall()
    return sum(_expire_tenant(tenant_id, now - timedelta(days=days)) for tenant_id, days in found)


def _expire_tenant(tenant_id: UUID, before: datetime) -> int:
    deleted = 0
    while portion := _delete_portion(tenant_id, before):
        deleted += portion
    return deleted


def _delete_portion(tenant_id: UUID, before: datetime) -> int:
    """Delete the oldest runs that ended before a time, and the files of their outputs.

    Runs stay while the run that started them is in progress, which can still read them.
    """
    with tenant_scope(tenant_id, actor=ACTOR):
        # The bound on the ID, which begins with the creation time, limits the rows to read.
        ended = WorkflowExecution.objects.filter(id__lt=uuid7_floor(before), completed_at__lt=before).filter(
            Q(parent_step=None) | Q(parent_step__execution__completed_at__isnull=False)
        )
        oldest = ended.order_by("id").select_for_update(of=("self",), skip_locked=True)
        runs = list(oldest.values_list("pk", flat=True)[:PORTION])
        stored = StepExecution.objects.filter(execution_id__in=runs).exclude(storage_path="")
        for path in stored.values_list("storage_path", flat=True):
            delete_file(path)
        WorkflowExecution.objects.filter(pk__in=runs)._raw_delete(using="default")
    return len(runs)
