"""Severity, review and repetition of each type of security event.

A rule applies when an event is recorded. The triggers of the database have a copy of the rules of `AUDITED`, so a
change of those needs a migration.
"""

from dataclasses import asdict, dataclass
from typing import Any

from audit.choices import SecurityEventType as Event
from audit.choices import Severity


@dataclass(frozen=True, slots=True)
class SecurityRule:
    """How events of one type are rated.

    Args:
        severity: Severity of a single event.
        review: Whether a single event needs review.
        per_minute: Store one row per actor and minute, which counts occurrences. For events that anyone can cause.
        burst: Number of events of the same actor that raise the severity by one step and need review. Ten times as
            many raise it by two steps.
        minutes: Window in which events of a burst are counted.
    """

    severity: str = Severity.INFO
    review: bool = False
    per_minute: bool = False
    burst: int = 20
    minutes: int = 10

    def as_json(self, event_type: str) -> dict[str, Any]:
        """Return the rule as the database functions expect it."""
        return {"event_type": str(event_type)} | asdict(self) | {"severity": str(self.severity)}


WARNING = SecurityRule(Severity.WARNING)
RULES: dict[str, SecurityRule] = {
    Event.LOGIN: SecurityRule(),
    Event.LOGOUT: SecurityRule(),
    Event.SESSION_EXPIRED: SecurityRule(),
    Event.LOGIN_FAILED: SecurityRule(Severity.WARNING, per_minute=True, burst=5),
    Event.SECOND_FACTOR_FAILED: SecurityRule(Severity.WARNING, review=True, per_minute=True, burst=3),
    Event.SIGNED_UP: SecurityRule(),
    Event.PASSWORD_SET: WARNING,
    Event.PASSWORD_CHANGED: WARNING,
    Event.PASSWORD_RESET: WARNING,
    Event.EMAIL_CHANGED: WARNING,
    Event.EMAIL_ADDED: SecurityRule(),
    Event.EMAIL_REMOVED: SecurityRule(),
    Event.SECOND_FACTOR_ADDED: SecurityRule(),
    Event.SECOND_FACTOR_REMOVED: WARNING,
    Event.SECOND_FACTOR_RESET: WARNING,
    Event.ACCESS_DENIED: SecurityRule(Severity.WARNING, per_minute=True),
    Event.CREDENTIAL_UNKNOWN: SecurityRule(per_minute=True),
    Event.KEY_REFUSED: SecurityRule(Severity.WARNING, per_minute=True),
    # One event stands for a minute of refused requests.
    Event.RATE_LIMITED: SecurityRule(Severity.WARNING, per_minute=True, burst=5),
    Event.PLATFORM_ENTERED: WARNING,
    Event.EXPORTED: SecurityRule(burst=5),
    Event.BULK_DELETED: SecurityRule(Severity.WARNING, burst=3),
    Event.MEMBER_CHANGED: WARNING,
    Event.ROLE_CHANGED: WARNING,
    Event.KEY_CHANGED: WARNING,
    Event.INTEGRATION_CHANGED: SecurityRule(),
    Event.MCP_CHANGED: WARNING,
    Event.WEBHOOK_CHANGED: WARNING,
    Event.LIMITS_CHANGED: WARNING,
    Event.SETTINGS_CHANGED: WARNING,
    Event.TENANT_CREATED: SecurityRule(),
    Event.TENANT_SUSPENDED: WARNING,
    Event.TENANT_RESUMED: WARNING,
    Event.TENANT_EXPORTED: WARNING,
    Event.TENANT_DELETION_REQUESTED: SecurityRule(Severity.WARNING, review=True),
    Event.TENANT_DELETED: WARNING,
    Event.PLATFORM_KEY_CREATED: WARNING,
    Event.PLATFORM_KEY_REVOKED: WARNING,
}

# Actions and resource types of the audit log that are security events too. An action has precedence.
AUDITED: dict[str, str] = {
    "platform.scope_entered": Event.PLATFORM_ENTERED,
    "rows.exported": Event.EXPORTED,
    "conversation.exported": Event.EXPORTED,
    "rows.deleted": Event.BULK_DELETED,
    "collection.deleted": Event.BULK_DELETED,
    "accounts.membership": Event.MEMBER_CHANGED,
    "accounts.role": Event.ROLE_CHANGED,
    "accounts.roleassignment": Event.ROLE_CHANGED,
    "accounts.apikey": Event.KEY_CHANGED,
    "agents.integration": Event.INTEGRATION_CHANGED,
    "agents.mcpserver": Event.MCP_CHANGED,
    "agents.mcpserverconfig": Event.MCP_CHANGED,
    "tenants.webhookendpoint": Event.WEBHOOK_CHANGED,
    "tenants.tenantquota": Event.LIMITS_CHANGED,
    "tenants.subscription": Event.LIMITS_CHANGED,
    "tenants.tenant": Event.SETTINGS_CHANGED,
    "tenants.systemsetting": Event.SETTINGS_CHANGED,
}
