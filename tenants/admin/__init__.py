"""Console pages of tenants."""

from .engagements import EngagementAdmin
from .idempotency import IdempotencyKeyAdmin
from .keys import TenantKeyAdmin
from .tenant import TenantAdmin

__all__ = ["EngagementAdmin", "IdempotencyKeyAdmin", "TenantAdmin", "TenantKeyAdmin"]
