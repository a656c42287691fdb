"""Read-only API resources for daily model and agent reports."""

from agents.models import AgentActivityDaily, UsageDaily
from config.api.serializers import ReadOnlySerializer
from config.api.viewsets import ReadOnlyTenantViewSet


class UsageDailySerializer(ReadOnlySerializer):
    """Usage of one model on one day."""

    class Meta:
        model = UsageDaily
        fields = (
            "id",
            "date",
            "provider",
            "model",
            "calls",
            "failed_calls",
            "prompt_tokens",
            "completion_tokens",
            "total_cost",
            "avg_latency_ms",
        )


class AgentActivityDailySerializer(ReadOnlySerializer):
    """Activity of one agent on one day."""

    class Meta:
        model = AgentActivityDaily
        fields = (
            "id",
            "date",
            "agent_id",
            "runs",
            "failed_runs",
            "tokens_used",
            "p50_ms",
            "p95_ms",
            "p99_ms",
        )


class UsageDailyViewSet(ReadOnlyTenantViewSet):
    """Usage and cost by day, provider and model; refreshed hourly."""

    serializer_class = UsageDailySerializer
    resource = "usage"
    ordering_fields = ("date", "calls", "total_cost")
    ordering = "-date"


class AgentActivityDailyViewSet(ReadOnlyTenantViewSet):
    """Agent runs by day; refreshed hourly."""

    serializer_class = AgentActivityDailySerializer
    resource = "usage"
    ordering_fields = ("date", "runs", "tokens_used")
    ordering = "-date"
