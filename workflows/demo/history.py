"""Load and delete the history of a demo tenant, each in one transaction."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, models, transaction

from agents.models import Agent, AgentRun, AgentVersion, Integration, LlmUsage
from config.db.ids import uuid7_floor
from config.db.partitions import ensure_partitions
from config.tenancy.scope import platform_scope, tenant_scope
from conversations.models import Conversation, Message, Participant, ToolExecution
from tenants.models import CostRecord, Engagement, Tenant, UsageMetric
from workflows import models as workflows

from .agents import make_agents
from .assets import make_assets
from .planning import make_planning
from .talk import make_talk
from .usage import make_usage
from .workflows import make_workflows
from .world import SINCE, UNTIL, Progress, World

ACTOR = "system:seed"
MAKERS: tuple[Callable[[World, Progress], int], ...] = (
    make_agents,
    make_talk,
    make_usage,
    make_workflows,
    make_assets,
    make_planning,
)
# Approximate number of rows per scale step, for the progress bar.
ROWS = 26_500
# Each table precedes the tables it refers to.
TABLES: tuple[type[models.Model], ...] = (
    *(ToolExecution, Message, Participant, Conversation, AgentRun, LlmUsage, UsageMetric, CostRecord),
    *(workflows.Approval, workflows.StepExecution, workflows.WorkflowExecution, workflows.WorkflowTrigger),
    *(workflows.WorkflowVersion, workflows.WorkflowAgent, workflows.Workflow, workflows.AgentTask),
    *(workflows.AssetDependency, workflows.Asset, workflows.ExecutionFlow, workflows.PlanningFlow),
    *(workflows.AssessmentFlow, workflows.CollectionFlow, workflows.DiscoveryFlow, workflows.MasterFlow),
    *(Engagement, workflows.ActivityAssignment, workflows.Activity, workflows.ActivityStatus),
    *(workflows.ActivityType, workflows.CalendarEvent, workflows.Calendar, workflows.Task, workflows.Project),
    *(AgentVersion, Agent, Integration),
)
# Number of rows that one statement can delete within the statement timeout.
SLICE = timedelta(days=3)


def _silent(count: int) -> None:
    """Ignore progress."""


def make_old_partitions() -> list[str]:
    """Create and commit the missing partitions for the history."""
    with platform_scope(reason="create partitions for the demo history", actor=ACTOR):
        return ensure_partitions(since=SINCE)


def loaded(tenant_id: UUID) -> dict[str, Any]:
    """Return scale, seed and row count of the tenant's history; empty without one."""
    with tenant_scope(tenant_id, actor=ACTOR):
        found: dict[str, Any] = Tenant.objects.get(pk=tenant_id).metadata.get("demo", {})
    return found


def load_history(world: World, on_rows: Progress = _silent) -> int:
    """Create the history in one transaction and return its row count."""
    with tenant_scope(world.tenant_id, user=world.admin_id, actor=ACTOR):
        rows = sum(make(world, on_rows) for make in MAKERS)
        _remember(world.tenant_id, {"scale": world.scale, "seed": world.seed, "rows": rows})
    return rows


def forget_history(tenant_id: UUID, on_rows: Progress = _silent) -> int:
    """Delete the tenant's rows in the period of the history and return their number.

    Runs in one transaction and keeps the audit log.
    """
    with platform_scope(reason="delete the demo history", actor=ACTOR), transaction.atomic():
        gone = sum(_delete(model, tenant_id, on_rows) for model in TABLES)
        days = workflows.AgentPerformanceDaily.unscoped.filter(tenant_id=tenant_id)
        days.filter(date__gte=SINCE.date(), date__lt=UNTIL.date()).delete()
        _remember(tenant_id, None)
    return gone


def _remember(tenant_id: UUID, facts: dict[str, Any] | None) -> None:
    tenant = Tenant.objects.select_for_update().get(pk=tenant_id)
    tenant.metadata = {key: value for key, value in tenant.metadata.items() if key != "demo"}
    if facts:
        tenant.metadata["demo"] = facts
    tenant.save(update_fields=["metadata", "updated_at"])


def _slices() -> Iterator[tuple[UUID, UUID]]:
    start = SINCE
    while start < UNTIL:
        yield uuid7_floor(start), uuid7_floor(start + SLICE)
        start += SLICE


def _delete(model: Any, tenant_id: UUID, on_rows: Progress) -> int:
    gone = 0
    statement = f"DELETE FROM {model._meta.db_table} WHERE tenant_id = %s AND id >= %s AND id < %s"
    with connection.cursor() as cursor:
        for low, high in _slices():
            cursor.execute(statement, [tenant_id, low, high])
            gone += cursor.rowcount
            on_rows(cursor.rowcount)
    return gone
