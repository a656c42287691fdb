"""Usage and costs in the API: the system records them."""

from config.api.serializers import HouseSerializer
from config.api.viewsets import ReadOnlyTenantViewSet
from tenants.models import CostRecord, UsageMetric


class UsageMetricSerializer(HouseSerializer):
    """How much of something was used in a period."""

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


class CostRecordSerializer(HouseSerializer):
    """What a service cost on a day."""

    class Meta:
        model = CostRecord
        fields = ("id", "user_id", "service", "amount", "currency", "usage_data", "date", "created_at")
        read_only_fields = fields


class UsageMetricViewSet(ReadOnlyTenantViewSet):
    """What was used, newest first."""

    serializer_class = UsageMetricSerializer
    resource = "usage"
    filterset_fields = ("metric_type", "agent_id", "user_id", "period_start", "period_end")
    ordering_fields = ("created_at", "period_start", "metric_value")


class CostRecordViewSet(ReadOnlyTenantViewSet):
    """What it cost, newest first."""

    serializer_class = CostRecordSerializer
    resource = "usage"
    filterset_fields = ("service", "user_id", "currency", "date")
    ordering_fields = ("created_at", "date", "amount")
