"""The security log: sign-ins, refusals, changes of rights."""

from typing import Any
from uuid import UUID

from django.db import models
from django.utils import timezone

from audit.choices import AuditStatus, Severity
from audit.models import SecurityAuditLog
from config.db.stamps import request_info
from tenants.scoping import current_scope


def record_security_event(
    event_type: str,
    *,
    category: str,
    action: str,
    result: str = AuditStatus.SUCCESS,
    severity: str = Severity.INFO,
    actor: models.Model | None = None,
    actor_email: str = "",
    actor_role: str = "",
    target: models.Model | None = None,
    error_code: str = "",
    session_id: str = "",
    details: dict[str, Any] | None = None,
    requires_review: bool = False,
) -> UUID:
    """Write one row of the security log, of the scope's tenant or, outside a scope, of no tenant.

    Args:
        event_type: such as `auth.login_failed`.
        category: one of `audit.choices.EventCategory`.
        action: what was attempted, such as `login`.
        actor: the person who acted, when known; the scope's person by default.
        session_id: a hash of the session's key, never the key.

    Returns:
        The row's id. The address, program and id of the request come from `request_info`.
    """
    scope, info = current_scope(), request_info.get()
    row = SecurityAuditLog.unscoped.create(
        tenant_id=scope.tenant_id if scope else None,
        event_type=event_type,
        event_category=category,
        severity=severity,
        actor_user_id=actor.pk if actor is not None else (scope.user_id if scope else None),
        actor_email=actor_email or getattr(actor, "email", ""),
        actor_role=actor_role,
        target_type=target._meta.label_lower if target is not None else "",
        target_id=str(target.pk) if target is not None else "",
        ip_address=info.ip or None,
        user_agent=info.user_agent,
        request_id=info.request_id,
        session_id=session_id,
        action=action,
        result=result,
        error_code=error_code,
        details=details or {},
        requires_review=requires_review,
    )
    return row.pk


def mark_reviewed(events: Any, *, reviewer: models.Model) -> int:
    """Note on those of `events` that ask for it who looked at them; the number of them."""
    open_events = events.order_by().filter(requires_review=True, reviewed_at=None)
    return int(open_events.update(reviewed_at=timezone.now(), reviewed_by=reviewer.pk))
