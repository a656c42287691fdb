"""Read-only endpoints for plans, subscriptions, quotas and bills."""

from config.api.serializers import ReadOnlySerializer
from config.api.viewsets import ReadOnlyTenantViewSet
from tenants.models import BillingRecord, Subscription, SubscriptionPlan, TenantQuota


class SubscriptionPlanSerializer(ReadOnlySerializer):
    """A subscription plan."""

    class Meta:
        model = SubscriptionPlan
        fields = (
            "slug",
            "name",
            "description",
            "plan_type",
            "price_monthly",
            "price_yearly",
            "currency",
            "trial_days",
            "grace_days",
            "max_users",
            "max_agents",
            "max_engagements",
            "max_daily_requests",
            "api_quota_monthly",
            "max_monthly_tokens",
            "max_concurrent_runs",
            "max_key_rate_limit",
            "storage_quota_gb",
            "workflow_retention_days",
            "features",
            "is_active",
        )


class SubscriptionSerializer(ReadOnlySerializer):
    """A subscription of the organisation to a plan."""

    class Meta:
        model = Subscription
        fields = (
            "plan",
            "status",
            "billing_interval",
            "started_at",
            "current_period_start",
            "current_period_end",
            "expires_at",
            "cancelled_at",
            "external_id",
            "metadata",
        )


class TenantQuotaSerializer(ReadOnlySerializer):
    """A limit that overrides the plan's limit."""

    class Meta:
        model = TenantQuota
        fields = ("resource", "period", "limit_value", "warn_at_percent", "is_hard", "valid_until", "note")


class BillingRecordSerializer(ReadOnlySerializer):
    """A bill."""

    class Meta:
        model = BillingRecord
        fields = (
            "subscription",
            "number",
            "status",
            "period_start",
            "period_end",
            "currency",
            "net_amount",
            "tax_amount",
            "total_amount",
            "lines",
            "issued_at",
            "due_at",
            "paid_at",
            "payment_method",
            "transaction_id",
            "metadata",
        )


class SubscriptionPlanViewSet(ReadOnlyTenantViewSet):
    """Current and former subscription plans."""

    serializer_class = SubscriptionPlanSerializer
    resource = "plans"
    ordering_fields = ("created_at", "updated_at", "name", "price_monthly", "price_yearly")


class SubscriptionViewSet(ReadOnlyTenantViewSet):
    """Subscriptions of the organisation, newest first."""

    serializer_class = SubscriptionSerializer
    resource = "billing"
    ordering_fields = ("created_at", "updated_at", "started_at")


class TenantQuotaViewSet(ReadOnlyTenantViewSet):
    """Limits of the organisation that override its plan's limits."""

    serializer_class = TenantQuotaSerializer
    resource = "billing"
    ordering_fields = ("created_at", "updated_at")


class BillingRecordViewSet(ReadOnlyTenantViewSet):
    """The organisation's bills, newest first."""

    serializer_class = BillingRecordSerializer
    resource = "billing"
    ordering_fields = ("created_at", "updated_at", "number", "period_start", "total_amount")
