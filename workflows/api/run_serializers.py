"""Serializer of runs."""

from config.api.serializers import ReadOnlySerializer
from workflows.models import WorkflowExecution


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
