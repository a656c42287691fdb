"""Console pages of tenants."""

from .engagements import EngagementAdmin
from .idempotency import IdempotencyKeyAdmin
from .keys import TenantKeyAdmin
from .plans import BillingRecordAdmin, SubscriptionAdmin, SubscriptionPlanAdmin, TenantQuotaAdmin
from .platform import BridgeSyncAdmin, SystemSettingAdmin
from .regions import CrossRegionSyncLogAdmin, RegionAdmin, ReplicationStatusAdmin, TenantRegionAdmin
from .tenant import TenantAdmin
from .usage import CostRecordAdmin, UsageMetricAdmin

__all__ = [
    "BillingRecordAdmin",
    "BridgeSyncAdmin",
    "CostRecordAdmin",
    "CrossRegionSyncLogAdmin",
    "EngagementAdmin",
    "IdempotencyKeyAdmin",
    "RegionAdmin",
    "ReplicationStatusAdmin",
    "SubscriptionAdmin",
    "SubscriptionPlanAdmin",
    "SystemSettingAdmin",
    "TenantAdmin",
    "TenantKeyAdmin",
    "TenantQuotaAdmin",
    "TenantRegionAdmin",
    "UsageMetricAdmin",
]
