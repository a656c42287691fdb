"""Models of workflows."""

from .activities import Activity, ActivityAssignment, ActivityStatus, ActivityType
from .approvals import Approval, ApprovalAssignee, ApprovalDecision, ApprovalLink
from .assets import Asset, AssetDependency, AssetEmbedding
from .checkpoints import GraphChannelValue, GraphCheckpoint, GraphWrite
from .definitions import Workflow, WorkflowAgent, WorkflowTrigger, WorkflowVersion
from .engine import WorkflowEvent, WorkflowGate, WorkflowLane
from .executions import StepExecution, WorkflowExecution
from .firings import TriggerFiring
from .flows import AssessmentFlow, CollectionFlow, DiscoveryFlow, ExecutionFlow, MasterFlow, PlanningFlow
from .learning import AgentLearningPattern
from .maps import MapItem, MapRange, MapState
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
    "ApprovalAssignee",
    "ApprovalDecision",
    "ApprovalLink",
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
    "GraphChannelValue",
    "GraphCheckpoint",
    "GraphWrite",
    "MapItem",
    "MapRange",
    "MapState",
    "MasterFlow",
    "PlanningFlow",
    "Project",
    "ProjectMember",
    "StepExecution",
    "Task",
    "TriggerFiring",
    "Workflow",
    "WorkflowAgent",
    "WorkflowEvent",
    "WorkflowExecution",
    "WorkflowGate",
    "WorkflowLane",
    "WorkflowRunsDaily",
    "WorkflowTrigger",
    "WorkflowVersion",
]
