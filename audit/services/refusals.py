"""Receiver that logs refused requests: unknown and unusable credentials, missing permissions, rate limits."""

from typing import Any

from audit.choices import AuditStatus
from audit.choices import SecurityEventType as Event
from audit.services.security import record_security_event
from config.api.credentials import CredentialRefusedError
from config.api.refusals import Refusal, request_refused
from config.db.session import apply_scope

MAX_PATH = 300


def record_refusal(sender: Any, refusal: Refusal, **_: Any) -> None:
    """Log a refused request, of which a rate limit's window has one."""
    rate = refusal.rate
    if refusal.status == 429 and (rate is None or rate.hits != rate.limit + 1):
        return
    key = refusal.cause.key if isinstance(refusal.cause, CredentialRefusedError) else None
    actor, user_id, tenant_id = refusal.actor, refusal.user_id, refusal.tenant_id
    if key is not None:
        actor, user_id, tenant_id = f"key:{key.id}", key.user_id, key.tenant_id
    details = {
        "method": refusal.request.method,
        "path": refusal.request.path[:MAX_PATH].replace("\0", ""),
        "status": refusal.status,
        "actor": actor,
        "scope": refusal.scope,
        "reason": refusal.cause.code if key is not None else "",  # type: ignore[union-attr]
    }
    with apply_scope(None):
        record_security_event(
            _event_type(refusal, has_key=key is not None),
            action="request",
            result=AuditStatus.FAILURE,
            actor_id=user_id,
            tenants=[tenant_id] if tenant_id else None,
            error_code=refusal.code[:50],
            details={name: value for name, value in details.items() if value},
            actor=actor or None,
        )


def _event_type(refusal: Refusal, *, has_key: bool) -> Event:
    if refusal.status == 429:
        return Event.RATE_LIMITED
    if has_key:
        return Event.KEY_REFUSED
    return Event.CREDENTIAL_UNKNOWN if refusal.status == 401 else Event.ACCESS_DENIED


def connect_refusals() -> None:
    """Connect the receiver of refused requests."""
    request_refused.connect(record_refusal, dispatch_uid="audit.refusals")
