"""URL routes of workflows."""

from config.api.routers import ApiRouter

from . import (
    activities,
    approvals,
    assets,
    definitions,
    executions,
    flows,
    learning,
    planning,
    publishing,
    reports,
    tasks,
    triggers,
)

RESOURCES = {
    "workflows": definitions.WorkflowViewSet,
    "workflow-versions": publishing.WorkflowVersionViewSet,
    "workflow-triggers": triggers.WorkflowTriggerViewSet,
    "trigger-firings": triggers.TriggerFiringViewSet,
    "workflow-executions": executions.WorkflowExecutionViewSet,
    "step-executions": executions.StepExecutionViewSet,
    "approvals": approvals.ApprovalViewSet,
    "approval-assignees": approvals.ApprovalAssigneeViewSet,
    "approval-decisions": approvals.ApprovalDecisionViewSet,
    "approval-links": approvals.ApprovalLinkViewSet,
    "master-flows": flows.MasterFlowViewSet,
    "discovery-flows": flows.DiscoveryFlowViewSet,
    "collection-flows": flows.CollectionFlowViewSet,
    "assessment-flows": flows.AssessmentFlowViewSet,
    "planning-flows": flows.PlanningFlowViewSet,
    "execution-flows": flows.ExecutionFlowViewSet,
    "assets": assets.AssetViewSet,
    "asset-dependencies": assets.AssetDependencyViewSet,
    "agent-tasks": tasks.AgentTaskViewSet,
    "agent-performance": tasks.AgentPerformanceDailyViewSet,
    "reports/workflows": reports.WorkflowRunsDailyViewSet,
    "agent-learning-patterns": learning.AgentLearningPatternViewSet,
    "activity-types": activities.ActivityTypeViewSet,
    "activity-statuses": activities.ActivityStatusViewSet,
    "activities": activities.ActivityViewSet,
    "activity-assignments": activities.ActivityAssignmentViewSet,
    "projects": planning.ProjectViewSet,
    "project-members": planning.ProjectMemberViewSet,
    "tasks": planning.TaskViewSet,
    "calendars": planning.CalendarViewSet,
    "calendar-members": planning.CalendarMemberViewSet,
    "calendar-events": planning.CalendarEventViewSet,
}


def register(router: ApiRouter) -> None:
    """Register the viewsets of this app."""
    for prefix, viewset in RESOURCES.items():
        router.register(prefix, viewset, basename=prefix)
