"""Read-only workflow report."""

from config.api.serializers import ReadOnlySerializer
from config.api.viewsets import ReadOnlyTenantViewSet
from workflows.models import WorkflowRunsDaily


class WorkflowRunsDailySerializer(ReadOnlySerializer):
    """Runs of one workflow on one day, by outcome."""

    class Meta:
        model = WorkflowRunsDaily
        fields = (
            "id",
            "date",
            "workflow_id",
            "runs",
            "completed_runs",
            "failed_runs",
            "avg_seconds",
            "p95_seconds",
        )


class WorkflowRunsDailyViewSet(ReadOnlyTenantViewSet):
    """Daily workflow runs, computed hourly."""

    serializer_class = WorkflowRunsDailySerializer
    resource = "usage"
    ordering_fields = ("date", "runs")
    ordering = "-date"
