"""URL routes of tenants."""

from config.api.routers import ApiRouter

from . import plans, platform, regions, usage, usage_sums, views, webhooks


def register(router: ApiRouter) -> None:
    """Register the viewsets of this app."""
    router.single("tenant", views.OwnTenantViewSet, "tenant", get="retrieve", patch="partial_update")
    router.single("usage", usage_sums.UsageView, "usage")
    for prefix, viewset, basename in (
        ("engagements", views.EngagementViewSet, "engagement"),
        ("subscription-plans", plans.SubscriptionPlanViewSet, "subscription-plan"),
        ("subscriptions", plans.SubscriptionViewSet, "subscription"),
        ("tenant-quotas", plans.TenantQuotaViewSet, "tenant-quota"),
        ("billing-records", plans.BillingRecordViewSet, "billing-record"),
        ("meter-events", usage.MeterEventViewSet, "meter-event"),
        ("usage-metrics", usage.UsageMetricViewSet, "usage-metric"),
        ("cost-records", usage.CostRecordViewSet, "cost-record"),
        ("regions", regions.RegionViewSet, "region"),
        ("tenant-regions", regions.TenantRegionViewSet, "tenant-region"),
        ("replication-statuses", regions.ReplicationStatusViewSet, "replication-status"),
        ("cross-region-sync-logs", regions.CrossRegionSyncLogViewSet, "cross-region-sync-log"),
        ("system-settings", platform.SystemSettingViewSet, "system-setting"),
        ("events", webhooks.OutboxEventViewSet, "event"),
        ("webhook-endpoints", webhooks.WebhookEndpointViewSet, "webhook-endpoint"),
        ("webhook-deliveries", webhooks.WebhookDeliveryViewSet, "webhook-delivery"),
        ("bridge-syncs", platform.BridgeSyncViewSet, "bridge-sync"),
    ):
        router.register(prefix, viewset, basename=basename)
