"""Models of workflows."""

from .activities import Activity, ActivityAssignment, ActivityStatus, ActivityType
from .assets import Asset, AssetDependency, AssetEmbedding
from .definitions import Workflow, WorkflowAgent, WorkflowTrigger, WorkflowVersion
from .executions import Approval, StepExecution, WorkflowExecution
from .flows import AssessmentFlow, CollectionFlow, DiscoveryFlow, ExecutionFlow, MasterFlow, PlanningFlow
from .learning import AgentLearningPattern
from .planning import Calendar, CalendarEvent, CalendarMember, Project, ProjectMember, Task
from .reports import WorkflowRunsDaily
from .tasks import AgentPerformanceDaily, AgentTask

__all__ = [
    "Activity",
    "ActivityAssignment",
    "ActivityStatus",
    "ActivityType",
    "AgentLearningPattern",
    "AgentPerformanceDaily",
    "AgentTask",
    "Approval",
    "AssessmentFlow",
    "Asset",
    "AssetDependency",
    "AssetEmbedding",
    "Calendar",
    "CalendarEvent",
    "CalendarMember",
    "CollectionFlow",
    "DiscoveryFlow",
    "ExecutionFlow",
    "MasterFlow",
    "PlanningFlow",
    "Project",
    "ProjectMember",
    "StepExecution",
    "Task",
    "Workflow",
    "WorkflowAgent",
    "WorkflowExecution",
    "WorkflowRunsDaily",
    "WorkflowTrigger",
    "WorkflowVersion",
]
