"""A report on workflows in the API: computed, read alone."""

from config.api.serializers import HouseSerializer
from config.api.viewsets import ReadOnlyTenantViewSet
from workflows.models import WorkflowRunsDaily


class WorkflowRunsDailySerializer(HouseSerializer):
    """What came of one workflow's runs of one day."""

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
        read_only_fields = fields


class WorkflowRunsDailyViewSet(ReadOnlyTenantViewSet):
    """Runs of workflows by day; computed once an hour."""

    serializer_class = WorkflowRunsDailySerializer
    resource = "usage"
    filterset_fields = ("date", "workflow_id")
    ordering_fields = ("date", "runs")
    ordering = "-date"
