"""Models of tenants."""

from .engagements import Engagement
from .idempotency import IdempotencyKey
from .keys import TenantKey
from .plans import BillingRecord, Subscription, SubscriptionPlan, TenantQuota
from .platform import BridgeSync, SystemSetting
from .regions import CrossRegionSyncLog, Region, ReplicationStatus, TenantRegion
from .tenant import Tenant
from .usage import CostRecord, UsageMetric

__all__ = [
    "BillingRecord",
    "BridgeSync",
    "CostRecord",
    "CrossRegionSyncLog",
    "Engagement",
    "IdempotencyKey",
    "Region",
    "ReplicationStatus",
    "Subscription",
    "SubscriptionPlan",
    "SystemSetting",
    "Tenant",
    "TenantKey",
    "TenantQuota",
    "TenantRegion",
    "UsageMetric",
]
