"""Console pages of workflows."""

from .activities import ActivityAdmin, ActivityAssignmentAdmin, ActivityStatusAdmin, ActivityTypeAdmin
from .approvals import ApprovalAdmin, ApprovalAssigneeAdmin, ApprovalDecisionAdmin, ApprovalLinkAdmin
from .assets import AssetAdmin, AssetDependencyAdmin, AssetEmbeddingAdmin
from .checkpoints import GraphChannelValueAdmin, GraphCheckpointAdmin, GraphWriteAdmin
from .definitions import WorkflowAdmin, WorkflowAgentAdmin, WorkflowVersionAdmin
from .engine import WorkflowEventAdmin, WorkflowGateAdmin, WorkflowLaneAdmin
from .executions import StepExecutionAdmin, WorkflowExecutionAdmin
from .flows import (
    AssessmentFlowAdmin,
    CollectionFlowAdmin,
    DiscoveryFlowAdmin,
    ExecutionFlowAdmin,
    MasterFlowAdmin,
    PlanningFlowAdmin,
)
from .learning import AgentLearningPatternAdmin
from .maps import MapItemAdmin, MapRangeAdmin, MapStateAdmin
from .planning import (
    CalendarAdmin,
    CalendarEventAdmin,
    CalendarMemberAdmin,
    ProjectAdmin,
    ProjectMemberAdmin,
    TaskAdmin,
)
from .reports import WorkflowRunsDailyAdmin
from .tasks import AgentPerformanceDailyAdmin, AgentTaskAdmin
from .triggers import TriggerFiringAdmin, WorkflowTriggerAdmin

__all__ = [
    "ActivityAdmin",
    "ActivityAssignmentAdmin",
    "ActivityStatusAdmin",
    "ActivityTypeAdmin",
    "AgentLearningPatternAdmin",
    "AgentPerformanceDailyAdmin",
    "AgentTaskAdmin",
    "ApprovalAdmin",
    "ApprovalAssigneeAdmin",
    "ApprovalDecisionAdmin",
    "ApprovalLinkAdmin",
    "AssessmentFlowAdmin",
    "AssetAdmin",
    "AssetDependencyAdmin",
    "AssetEmbeddingAdmin",
    "CalendarAdmin",
    "CalendarEventAdmin",
    "CalendarMemberAdmin",
    "CollectionFlowAdmin",
    "DiscoveryFlowAdmin",
    "ExecutionFlowAdmin",
    "GraphChannelValueAdmin",
    "GraphCheckpointAdmin",
    "GraphWriteAdmin",
    "MapItemAdmin",
    "MapRangeAdmin",
    "MapStateAdmin",
    "MasterFlowAdmin",
    "PlanningFlowAdmin",
    "ProjectAdmin",
    "ProjectMemberAdmin",
    "StepExecutionAdmin",
    "TaskAdmin",
    "TriggerFiringAdmin",
    "WorkflowAdmin",
    "WorkflowAgentAdmin",
    "WorkflowEventAdmin",
    "WorkflowExecutionAdmin",
    "WorkflowGateAdmin",
    "WorkflowLaneAdmin",
    "WorkflowRunsDailyAdmin",
    "WorkflowTriggerAdmin",
    "WorkflowVersionAdmin",
]
