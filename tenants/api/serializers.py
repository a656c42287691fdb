"""Serializers of tenants and engagements."""

from config.api.serializers import BaseSerializer
from tenants.models import Engagement, Tenant
from tenants.models.tenant import PROFILE

LIMITS = (
    "max_agents",
    "max_daily_requests",
    "max_monthly_tokens",
    "max_users",
    "max_engagements",
    "storage_quota_gb",
    "api_quota_monthly",
    "max_concurrent_runs",
    "max_key_rate_limit",
    "workflow_retention_days",
)


class TenantSerializer(BaseSerializer):
    """The organisation of the credential. Plan, status and limits are read-only."""

    class Meta:
        model = Tenant
        fields = ("slug", "status", "plan_type", *PROFILE, *LIMITS)
        read_only_fields = ("slug", "status", "plan_type", *LIMITS)


class EngagementSerializer(BaseSerializer):
    """A project inside the organisation."""

    class Meta:
        model = Engagement
        fields = (
            "name",
            "description",
            "engagement_type",
            "status",
            "start_date",
            "end_date",
            "target_applications",
            "target_infrastructure_units",
            "estimated_complexity",
            "created_by",
        )
