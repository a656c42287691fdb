"""Enumerated values of accounts."""

from django.db.models import TextChoices


class UserStatus(TextChoices):
    PENDING_APPROVAL = "pending_approval"
    ACTIVE = "active"
    INACTIVE = "inactive"
    SUSPENDED = "suspended"


class MemberRole(TextChoices):
    ADMIN = "admin"
    ANALYST = "analyst"
    USER = "user"
    VIEWER = "viewer"


class MemberStatus(TextChoices):
    INVITED = "invited"
    ACTIVE = "active"
    INACTIVE = "inactive"
    SUSPENDED = "suspended"


class RoleScope(TextChoices):
    TENANT = "tenant"
    ENGAGEMENT = "engagement"


class ApiKeyStatus(TextChoices):
    ACTIVE = "active"
    REVOKED = "revoked"
    EXPIRED = "expired"
