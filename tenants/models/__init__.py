"""Models of tenants."""

from .engagements import Engagement
from .idempotency import IdempotencyKey
from .keys import TenantKey
from .tenant import Tenant

__all__ = ["Engagement", "IdempotencyKey", "Tenant", "TenantKey"]
