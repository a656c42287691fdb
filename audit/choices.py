"""Enumerated values of audit."""

from django.db.models import TextChoices


class AuditStatus(TextChoices):
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


class EventCategory(TextChoices):
    AUTH = "auth"
    ACCESS = "access"
    DATA = "data"
    CONFIG = "config"


class Severity(TextChoices):
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class ReviewState(TextChoices):
    NONE = "none"
    OPEN = "open"
    ASSIGNED = "assigned"
    CLOSED = "closed"


class SecurityEventType(TextChoices):
    """Types of security events; the part before the dot is the category."""

    LOGIN = "auth.login"
    LOGOUT = "auth.logout"
    SESSION_EXPIRED = "auth.session_expired"
    LOGIN_FAILED = "auth.login_failed"
    SECOND_FACTOR_FAILED = "auth.second_factor_failed"
    SIGNED_UP = "auth.signed_up"
    PASSWORD_SET = "auth.password_set"  # noqa: S105
    PASSWORD_CHANGED = "auth.password_changed"  # noqa: S105
    PASSWORD_RESET = "auth.password_reset"  # noqa: S105
    EMAIL_CHANGED = "auth.email_changed"
    EMAIL_ADDED = "auth.email_added"
    EMAIL_REMOVED = "auth.email_removed"
    SECOND_FACTOR_ADDED = "auth.second_factor_added"
    SECOND_FACTOR_REMOVED = "auth.second_factor_removed"
    SECOND_FACTOR_RESET = "auth.second_factor_reset"
    ACCESS_DENIED = "access.denied"
    CREDENTIAL_UNKNOWN = "access.credential_unknown"
    KEY_REFUSED = "access.key_refused"
    RATE_LIMITED = "access.rate_limited"
    PLATFORM_ENTERED = "access.platform_entered"
    EXPORTED = "data.exported"
    BULK_DELETED = "data.bulk_deleted"
    MEMBER_CHANGED = "config.member_changed"
    ROLE_CHANGED = "config.role_changed"
    KEY_CHANGED = "config.key_changed"
    INTEGRATION_CHANGED = "config.integration_changed"
    MCP_CHANGED = "config.mcp_changed"
    WEBHOOK_CHANGED = "config.webhook_changed"
    LIMITS_CHANGED = "config.limits_changed"
    SETTINGS_CHANGED = "config.settings_changed"
    TENANT_CREATED = "config.tenant_created"
    TENANT_SUSPENDED = "config.tenant_suspended"
    TENANT_RESUMED = "config.tenant_resumed"
    TENANT_EXPORTED = "data.tenant_exported"
    TENANT_DELETION_REQUESTED = "data.tenant_deletion_requested"
    TENANT_DELETED = "data.tenant_deleted"
    PLATFORM_KEY_CREATED = "config.platform_key_created"
    PLATFORM_KEY_REVOKED = "config.platform_key_revoked"
