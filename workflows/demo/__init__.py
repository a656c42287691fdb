"""Demo workflows, assets, projects and activities."""

from uuid import UUID

from config.demo.generator import SINCE, UNTIL, DemoState
from workflows import models

from .assets import make_assets
from .planning import make_planning
from .workflows import make_workflows

POSITION = 50
TABLES = (
    *(models.Approval, models.StepExecution, models.WorkflowExecution, models.WorkflowTrigger),
    *(models.WorkflowVersion, models.WorkflowAgent, models.Workflow, models.AgentTask),
    *(models.AssetDependency, models.Asset, models.ExecutionFlow, models.PlanningFlow),
    *(models.AssessmentFlow, models.CollectionFlow, models.DiscoveryFlow, models.MasterFlow),
    *(models.ActivityAssignment, models.Activity, models.ActivityStatus, models.ActivityType),
    *(models.CalendarEvent, models.Calendar, models.Task, models.Project),
)


def make_history(state: DemoState) -> None:
    """Create workflows with runs, an engagement with assets, and projects; requires the agents."""
    make_workflows(state)
    make_assets(state)
    make_planning(state)


def delete_derived(tenant_id: UUID) -> None:
    """Delete the days of performance within the history."""
    days = models.AgentPerformanceDaily.unscoped.filter(tenant_id=tenant_id)
    days.filter(date__gte=SINCE.date(), date__lt=UNTIL.date()).delete()
