"""Read-only endpoints for workflow runs, steps and approvals."""

from config.api.serializers import ReadOnlySerializer
from config.api.viewsets import ReadOnlyTenantViewSet
from workflows.models import Approval, StepExecution, WorkflowExecution


class WorkflowExecutionSerializer(ReadOnlySerializer):
    """A run of a workflow."""

    class Meta:
        model = WorkflowExecution
        fields = (
            "workflow",
            "workflow_version",
            "trigger",
            "trigger_type",
            "trigger_data",
            "user",
            "status",
            "current_step",
            "steps_completed",
            "steps_total",
            "input_data",
            "output_data",
            "error_message",
            "metadata",
            "started_at",
            "completed_at",
        )


class StepExecutionSerializer(ReadOnlySerializer):
    """An attempt of a run step."""

    class Meta:
        model = StepExecution
        fields = (
            "execution",
            "step_id",
            "kind",
            "attempt",
            "agent",
            "status",
            "input_data",
            "output_data",
            "error_message",
            "metadata",
            "started_at",
            "completed_at",
        )


class ApprovalSerializer(ReadOnlySerializer):
    """An approval request of a run and its decision."""

    class Meta:
        model = Approval
        fields = (
            "step",
            "prompt",
            "assigned_to",
            "status",
            "comment",
            "decided_by",
            "decided_at",
            "expires_at",
        )


class WorkflowExecutionViewSet(ReadOnlyTenantViewSet):
    """Workflow runs."""

    serializer_class = WorkflowExecutionSerializer
    resource = "workflows"
    ordering_fields = ("created_at", "updated_at", "started_at")


class StepExecutionViewSet(ReadOnlyTenantViewSet):
    """Steps of workflow runs."""

    serializer_class = StepExecutionSerializer
    resource = "workflows"
    ordering_fields = ("created_at", "updated_at")


class ApprovalViewSet(ReadOnlyTenantViewSet):
    """Approval requests of workflow runs."""

    serializer_class = ApprovalSerializer
    resource = "workflows"
    ordering_fields = ("created_at", "updated_at")
