"""Read-only endpoints for meter events, usage metrics and costs."""

from config.api.serializers import ReadOnlySerializer
from config.api.viewsets import ReadOnlyTenantViewSet
from tenants.models import CostRecord, MeterEvent, UsageMetric

ATTRIBUTION = ("engagement_id", "agent_id", "user_id", "key_id", "model", "service")
AMOUNTS = ("events", "completion_tokens", "cost")


class MeterEventSerializer(ReadOnlySerializer):
    """Usage that happened."""

    class Meta:
        model = MeterEvent
        fields = ("metric_type", "quantity", *AMOUNTS, *ATTRIBUTION, "occurred_at", "is_rolled_up")


class UsageMetricSerializer(ReadOnlySerializer):
    """Usage of a metric in a period."""

    class Meta:
        model = UsageMetric
        fields = (
            "metric_type",
            "metric_value",
            *AMOUNTS,
            *ATTRIBUTION,
            "metadata",
            "interval",
            "period_start",
            "period_end",
        )


class CostRecordSerializer(ReadOnlySerializer):
    """Cost of a service on a day."""

    class Meta:
        model = CostRecord
        fields = ("user_id", "service", "amount", "currency", "usage_data", "date")


class MeterEventViewSet(ReadOnlyTenantViewSet):
    """Meter events, newest first."""

    serializer_class = MeterEventSerializer
    resource = "usage"


class UsageMetricViewSet(ReadOnlyTenantViewSet):
    """Usage metrics, newest first."""

    serializer_class = UsageMetricSerializer
    resource = "usage"
    filterset_fields = ("period_start", "period_end")
    ordering_fields = ("created_at", "period_start", "metric_value")


class CostRecordViewSet(ReadOnlyTenantViewSet):
    """Costs, newest first."""

    serializer_class = CostRecordSerializer
    resource = "usage"
    ordering_fields = ("created_at", "date", "amount")
