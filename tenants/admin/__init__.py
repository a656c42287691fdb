"""Console pages of tenants."""

from .deletions import TenantDeletionAdmin
from .engagements import EngagementAdmin
from .idempotency import IdempotencyKeyAdmin
from .keys import TenantKeyAdmin
from .plans import BillingRecordAdmin, SubscriptionAdmin, SubscriptionPlanAdmin, TenantQuotaAdmin
from .platform import BridgeSyncAdmin, SystemSettingAdmin
from .regions import CrossRegionSyncLogAdmin, RegionAdmin, ReplicationStatusAdmin, TenantRegionAdmin
from .tenant import TenantAdmin
from .usage import CostRecordAdmin, MeterEventAdmin, UsageMetricAdmin
from .webhooks import OutboxEventAdmin, WebhookDeliveryAdmin, WebhookEndpointAdmin

__all__ = [
    "BillingRecordAdmin",
    "BridgeSyncAdmin",
    "CostRecordAdmin",
    "CrossRegionSyncLogAdmin",
    "EngagementAdmin",
    "IdempotencyKeyAdmin",
    "MeterEventAdmin",
    "OutboxEventAdmin",
    "RegionAdmin",
    "ReplicationStatusAdmin",
    "SubscriptionAdmin",
    "SubscriptionPlanAdmin",
    "SystemSettingAdmin",
    "TenantAdmin",
    "TenantDeletionAdmin",
    "TenantKeyAdmin",
    "TenantQuotaAdmin",
    "TenantRegionAdmin",
    "UsageMetricAdmin",
    "WebhookDeliveryAdmin",
    "WebhookEndpointAdmin",
]
