"""Functions that write the security log."""

from typing import Any
from uuid import UUID

from django.db import models
from django.utils import timezone

from audit.choices import AuditStatus, Severity
from audit.models import SecurityAuditLog
from config.db.session import current_scope, request_info


def record_security_event(
    event_type: str,
    *,
    category: str,
    action: str,
    result: str = AuditStatus.SUCCESS,
    severity: str = Severity.INFO,
    actor: models.Model | None = None,
    actor_email: str = "",
    target: models.Model | None = None,
    **further: Any,
) -> UUID:
    """Write one row of the security log, for the scope's tenant if there is one.

    Args:
        event_type: Such as `auth.login_failed`.
        category: One of `audit.choices.EventCategory`.
        action: The attempted action, such as `login`.
        actor: The user who acted, if known; defaults to the scope's user.
        further: Other columns, such as `error_code`, `details`, `requires_review`, and `session_id`, which is
            a hash of the session key, never the key.

    Returns:
        The ID of the row. IP address, user agent and request ID come from `request_info`.
    """
    scope = current_scope()
    row = SecurityAuditLog.unscoped.create(
        tenant_id=scope.tenant_id if scope else None,
        event_type=event_type,
        event_category=category,
        severity=severity,
        actor_user_id=actor.pk if actor is not None else (scope.user_id if scope else None),
        actor_email=actor_email or getattr(actor, "email", ""),
        action=action,
        result=result,
        **_target_columns(target),
        **_request_columns(),
        **further,
    )
    return row.pk


def _target_columns(target: models.Model | None) -> dict[str, str]:
    return (
        {"target_type": target._meta.label_lower, "target_id": str(target.pk)} if target is not None else {}
    )


def _request_columns() -> dict[str, str | None]:
    info = request_info.get()
    return {"ip_address": info.ip or None, "user_agent": info.user_agent, "request_id": info.request_id}


def mark_reviewed(events: Any, *, reviewer_id: UUID) -> int:
    """Mark the unreviewed rows of `events` as reviewed and return their number."""
    open_events = events.order_by().filter(reviewed_at=None)
    return int(open_events.update(reviewed_at=timezone.now(), reviewed_by=reviewer_id))
