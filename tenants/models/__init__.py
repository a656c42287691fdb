"""Models of tenants."""

from .deletions import TenantDeletion
from .engagements import Engagement
from .events import OutboxEvent
from .idempotency import IdempotencyKey
from .keys import TenantKey
from .plans import BillingRecord, Subscription, SubscriptionPlan, TenantQuota
from .platform import BridgeSync, SystemSetting
from .regions import CrossRegionSyncLog, Region, ReplicationStatus, TenantRegion
from .tenant import Tenant
from .usage import CostRecord, MeterEvent, UsageMetric
from .webhooks import WebhookDelivery, WebhookEndpoint

__all__ = [
    "BillingRecord",
    "BridgeSync",
    "CostRecord",
    "CrossRegionSyncLog",
    "Engagement",
    "IdempotencyKey",
    "MeterEvent",
    "OutboxEvent",
    "Region",
    "ReplicationStatus",
    "Subscription",
    "SubscriptionPlan",
    "SystemSetting",
    "Tenant",
    "TenantDeletion",
    "TenantKey",
    "TenantQuota",
    "TenantRegion",
    "UsageMetric",
    "WebhookDelivery",
    "WebhookEndpoint",
]
