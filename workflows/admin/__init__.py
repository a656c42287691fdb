"""Console pages of workflows."""

from .activities import ActivityAdmin, ActivityAssignmentAdmin, ActivityStatusAdmin, ActivityTypeAdmin
from .assets import AssetAdmin, AssetDependencyAdmin, AssetEmbeddingAdmin
from .definitions import WorkflowAdmin, WorkflowAgentAdmin, WorkflowTriggerAdmin, WorkflowVersionAdmin
from .executions import ApprovalAdmin, StepExecutionAdmin, WorkflowExecutionAdmin
from .flows import (
    AssessmentFlowAdmin,
    CollectionFlowAdmin,
    DiscoveryFlowAdmin,
    ExecutionFlowAdmin,
    MasterFlowAdmin,
    PlanningFlowAdmin,
)
from .learning import AgentLearningPatternAdmin
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

__all__ = [
    "ActivityAdmin",
    "ActivityAssignmentAdmin",
    "ActivityStatusAdmin",
    "ActivityTypeAdmin",
    "AgentLearningPatternAdmin",
    "AgentPerformanceDailyAdmin",
    "AgentTaskAdmin",
    "ApprovalAdmin",
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
    "MasterFlowAdmin",
    "PlanningFlowAdmin",
    "ProjectAdmin",
    "ProjectMemberAdmin",
    "StepExecutionAdmin",
    "TaskAdmin",
    "WorkflowAdmin",
    "WorkflowAgentAdmin",
    "WorkflowExecutionAdmin",
    "WorkflowRunsDailyAdmin",
    "WorkflowTriggerAdmin",
    "WorkflowVersionAdmin",
]
