"""Signal receivers that log sign-ins and credential changes."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import Signal

from audit.choices import AuditStatus, SecurityEventType
from audit.choices import SecurityEventType as Event
from audit.services.security import record_security_event
from config.db.session import apply_scope


def _hash_session_key(request: Any) -> str:
    key = getattr(getattr(request, "session", None), "session_key", None)
    return sha256(key.encode()).hexdigest() if key else ""


def _record(event_type: SecurityEventType, *, actor: Any = None, **fields: Any) -> None:
    # Signing in concerns all tenants of the user, so the identity role writes the rows whatever scope is open.
    with apply_scope(None):
        record_security_event(event_type, actor_id=getattr(actor, "pk", None), **fields)


def record_sign_in(sender: Any, request: Any, user: Any, **_: Any) -> None:
    """Log a sign-in."""
    _record(
        Event.LOGIN,
        action="login",
        actor=user,
        actor_email=user.email,
        session_id=_hash_session_key(request),
    )


def record_sign_out(sender: Any, request: Any, user: Any, **_: Any) -> None:
    """Log a sign-out, by the user or by a timeout of the session."""
    if user is not None:
        event = Event.SESSION_EXPIRED if getattr(request, "session_expired", False) else Event.LOGOUT
        _record(event, action="logout", actor=user, actor_email=user.email)


def record_failed_sign_in(sender: Any, credentials: dict[str, Any], request: Any = None, **_: Any) -> None:
    """Log a wrong e-mail address or password, with the address as entered."""
    email = str(credentials.get("email") or credentials.get("username") or "")[:255].replace("\0", "")
    _record(
        Event.LOGIN_FAILED,
        action="login",
        result=AuditStatus.FAILURE,
        actor_email=email,
        error_code="bad_credentials",
    )


def record_failed_second_factor(sender: Any, request: Any, user: Any, **_: Any) -> None:
    """Log a wrong two-factor code."""
    _record(
        Event.SECOND_FACTOR_FAILED,
        action="login",
        result=AuditStatus.FAILURE,
        actor=user,
        actor_email=user.email,
        error_code="bad_code",
    )


# Signal, event type, action. These changes may be the only trace of an intruder.
CREDENTIAL_CHANGES: tuple[tuple[Signal, SecurityEventType, str], ...] = (
    (account.user_signed_up, Event.SIGNED_UP, "sign_up"),
    (account.password_set, Event.PASSWORD_SET, "set_password"),
    (account.password_changed, Event.PASSWORD_CHANGED, "change_password"),
    (account.password_reset, Event.PASSWORD_RESET, "reset_password"),
    (account.email_changed, Event.EMAIL_CHANGED, "change_email"),
    (account.email_added, Event.EMAIL_ADDED, "add_email"),
    (account.email_removed, Event.EMAIL_REMOVED, "remove_email"),
    (mfa.authenticator_added, Event.SECOND_FACTOR_ADDED, "add_second_factor"),
    (mfa.authenticator_removed, Event.SECOND_FACTOR_REMOVED, "remove_second_factor"),
    (mfa.authenticator_reset, Event.SECOND_FACTOR_RESET, "reset_second_factor"),
)


def _make_receiver(event_type: SecurityEventType, action: str) -> Callable[..., None]:
    def changed(sender: Any, user: Any, **given: Any) -> None:
        kind = getattr(given.get("authenticator"), "type", "")
        _record(
            event_type,
            action=action,
            actor=user,
            actor_email=user.email,
            target=user,
            details={"type": str(kind)} if kind else {},
        )

    return changed


def connect_signin() -> None:
    """Connect the receivers of sign-in and credential signals."""
    for signal, event_type, action in CREDENTIAL_CHANGES:
        recorder = _make_receiver(event_type, action)
        signal.connect(recorder, weak=False, dispatch_uid=f"audit.{event_type}")
    user_logged_in.connect(record_sign_in, dispatch_uid="audit.signed_in")
    user_logged_out.connect(record_sign_out, dispatch_uid="audit.signed_out")
    user_login_failed.connect(record_failed_sign_in, dispatch_uid="audit.refused")
    mfa.authentication_failed.connect(record_failed_second_factor, dispatch_uid="audit.second_factor_refused")
