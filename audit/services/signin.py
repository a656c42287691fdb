"""Signal receivers that log sign-ins and credential changes."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import Signal

from audit.choices import AuditStatus, EventCategory, Severity
from audit.services.security import record_security_event
from config.db.session import apply_scope


def _hash_session_key(request: Any) -> str:
    key = getattr(getattr(request, "session", None), "session_key", None)
    return sha256(key.encode()).hexdigest() if key else ""


def _record(event_type: str, **fields: Any) -> None:
    # Signing in belongs to no tenant, so the identity role writes the row whatever scope is open.
    with apply_scope(None):
        record_security_event(event_type, category=EventCategory.AUTH, **fields)


def record_sign_in(sender: Any, request: Any, user: Any, **_: Any) -> None:
    """Log a sign-in."""
    _record("auth.login", action="login", actor=user, session_id=_hash_session_key(request))


def record_sign_out(sender: Any, request: Any, user: Any, **_: Any) -> None:
    """Log a sign-out."""
    if user is not None:
        _record("auth.logout", action="logout", actor=user)


def record_failed_sign_in(sender: Any, credentials: dict[str, Any], request: Any = None, **_: Any) -> None:
    """Log a wrong e-mail address or password, with the address as entered."""
    email = str(credentials.get("email") or credentials.get("username") or "")[:255].replace("\0", "")
    _record(
        "auth.login_failed",
        action="login",
        result=AuditStatus.FAILURE,
        severity=Severity.WARNING,
        actor_email=email,
        error_code="bad_credentials",
    )


def record_failed_second_factor(sender: Any, request: Any, user: Any, **_: Any) -> None:
    """Log a wrong two-factor code."""
    _record(
        "auth.second_factor_failed",
        action="login",
        result=AuditStatus.FAILURE,
        severity=Severity.WARNING,
        actor=user,
        error_code="bad_code",
        requires_review=True,
    )


# Signal, event type, action, severity. These changes may be the only trace of an intruder.
CREDENTIAL_CHANGES: tuple[tuple[Signal, str, str, str], ...] = (
    (account.user_signed_up, "auth.signed_up", "sign_up", Severity.INFO),
    (account.password_set, "auth.password_set", "set_password", Severity.WARNING),
    (account.password_changed, "auth.password_changed", "change_password", Severity.WARNING),
    (account.password_reset, "auth.password_reset", "reset_password", Severity.WARNING),
    (account.email_changed, "auth.email_changed", "change_email", Severity.WARNING),
    (account.email_added, "auth.email_added", "add_email", Severity.INFO),
    (account.email_removed, "auth.email_removed", "remove_email", Severity.INFO),
    (mfa.authenticator_added, "auth.second_factor_added", "add_second_factor", Severity.INFO),
    (mfa.authenticator_removed, "auth.second_factor_removed", "remove_second_factor", Severity.WARNING),
    (mfa.authenticator_reset, "auth.second_factor_reset", "reset_second_factor", Severity.WARNING),
)


def _make_receiver(event_type: str, action: str, severity: str) -> Callable[..., None]:
    def changed(sender: Any, user: Any, **given: Any) -> None:
        kind = getattr(given.get("authenticator"), "type", "")
        _record(
            event_type,
            action=action,
            severity=severity,
            actor=user,
            target=user,
            details={"type": str(kind)} if kind else {},
        )

    return changed


def connect_signin() -> None:
    """Connect the receivers of sign-in and credential signals."""
    for signal, event_type, action, severity in CREDENTIAL_CHANGES:
        recorder = _make_receiver(event_type, action, severity)
        signal.connect(recorder, weak=False, dispatch_uid=f"audit.{event_type}")
    user_logged_in.connect(record_sign_in, dispatch_uid="audit.signed_in")
    user_logged_out.connect(record_sign_out, dispatch_uid="audit.signed_out")
    user_login_failed.connect(record_failed_sign_in, dispatch_uid="audit.refused")
    mfa.authentication_failed.connect(record_failed_second_factor, dispatch_uid="audit.second_factor_refused")
