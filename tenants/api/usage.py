"""Read-only endpoints for usage and costs."""

from config.api.serializers import BaseSerializer
from config.api.viewsets import ReadOnlyTenantViewSet
from tenants.models import CostRecord, UsageMetric


class UsageMetricSerializer(BaseSerializer):
    """Usage of a metric in a period."""

    class Meta:
        model = UsageMetric
        fields = (
            "id",
            "metric_type",
            "metric_value",
            "agent_id",
            "user_id",
            "metadata",
            "period_start",
            "period_end",
            "created_at",
        )
        read_only_fields = fields


class CostRecordSerializer(BaseSerializer):
    """Cost of a service on a day."""

    class Meta:
        model = CostRecord
        fields = ("id", "user_id", "service", "amount", "currency", "usage_data", "date", "created_at")
        read_only_fields = fields


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
