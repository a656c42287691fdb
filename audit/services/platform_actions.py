"""Receiver that logs the platform's actions on tenants and platform API keys."""

from typing import Any
from uuid import UUID

from audit.choices import SecurityEventType as Event
from audit.services.events import record_event
from audit.services.security import record_security_event
from config.tenancy.scope import require_scope
from tenants.signals import platform_action

EVENTS = {
    "tenant.created": Event.TENANT_CREATED,
    "tenant.suspended": Event.TENANT_SUSPENDED,
    "tenant.resumed": Event.TENANT_RESUMED,
    "tenant.exported": Event.TENANT_EXPORTED,
    "tenant.deletion_requested": Event.TENANT_DELETION_REQUESTED,
    "tenant.deletion_completed": Event.TENANT_DELETED,
    "subscription.renewed": Event.LIMITS_CHANGED,
    "platform_key.created": Event.PLATFORM_KEY_CREATED,
    "platform_key.revoked": Event.PLATFORM_KEY_REVOKED,
}


def record_platform_action(
    sender: Any, action: str, resource: Any, tenant_id: UUID | None, details: dict[str, Any], **_: Any
) -> None:
    """Write an action to the audit log of the platform and to the security log."""
    record_event(action, resource=resource, metadata=details)
    actor = require_scope().actor
    record_security_event(
        EVENTS[action],
        action=action,
        target=resource,
        tenants=[tenant_id] if tenant_id else [],
        details={"actor": actor, **details},
        actor=actor,
    )


def connect_platform_actions() -> None:
    """Connect the receiver of the platform's actions."""
    platform_action.connect(record_platform_action, dispatch_uid="audit.platform_actions")
