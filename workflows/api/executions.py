"""Read-only endpoints for workflow runs and steps."""

from config.api.serializers import ReadOnlySerializer
from config.api.viewsets import ReadOnlyTenantViewSet
from workflows.models import StepExecution

from .run_control import CONTROL_VERBS, RunControlActions
from .run_events import RunEventActions
from .run_serializers import WorkflowExecutionSerializer


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


class WorkflowExecutionViewSet(RunControlActions, RunEventActions, ReadOnlyTenantViewSet):
    """Workflow runs."""

    serializer_class = WorkflowExecutionSerializer
    resource = "workflows"
    verbs = {"events": "read", "stream": "read", **CONTROL_VERBS}
    ordering_fields = ("created_at", "updated_at", "started_at")


class StepExecutionViewSet(ReadOnlyTenantViewSet):
    """Steps of workflow runs."""

    serializer_class = StepExecutionSerializer
    resource = "workflows"
    ordering_fields = ("created_at", "updated_at")
