"""Enumerated values of tenants."""

from django.db.models import TextChoices


class TenantStatus(TextChoices):
    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETED = "deleted"


class PlanType(TextChoices):
    FREE = "free"
    STARTER = "starter"
    STANDARD = "standard"
    PRO = "pro"
    ENTERPRISE = "enterprise"


class EngagementType(TextChoices):
    ASSESSMENT = "assessment"
    MIGRATION = "migration"
    MODERNIZATION = "modernization"


class EngagementStatus(TextChoices):
    PLANNING = "planning"
    ACTIVE = "active"
    ON_HOLD = "on_hold"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Complexity(TextChoices):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    VERY_HIGH = "very_high"


class KeyStatus(TextChoices):
    CURRENT = "current"
    DECRYPT_ONLY = "decrypt_only"
