"""Sign-ins, failed sign-ins and sign-outs in the security log."""

from hashlib import sha256
from typing import Any

from allauth.mfa.signals import authentication_failed
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed

from audit.choices import AuditStatus, EventCategory, Severity
from audit.services.security import record_security_event
from config.db.stamps import stamped


def _session(request: Any) -> str:
    key = getattr(getattr(request, "session", None), "session_key", None)
    return sha256(key.encode()).hexdigest() if key else ""


def _record(event_type: str, **fields: Any) -> None:
    # Whatever scope is open: signing in belongs to no tenant, and the identity hat writes it.
    with stamped(None):
        record_security_event(event_type, category=EventCategory.AUTH, **fields)


def signed_in(sender: Any, request: Any, user: Any, **_: Any) -> None:
    """A person signed in."""
    _record("auth.login", action="login", actor=user, session_id=_session(request))


def signed_out(sender: Any, request: Any, user: Any, **_: Any) -> None:
    """A person signed out."""
    if user is not None:
        _record("auth.logout", action="logout", actor=user)


def refused(sender: Any, credentials: dict[str, Any], request: Any = None, **_: Any) -> None:
    """A wrong e-mail or password; the address is kept as it was typed."""
    email = str(credentials.get("email") or credentials.get("username") or "")[:255].replace("\0", "")
    _record(
        "auth.login_failed",
        action="login",
        result=AuditStatus.FAILURE,
        severity=Severity.WARNING,
        actor_email=email,
        error_code="bad_credentials",
    )


def second_factor_refused(sender: Any, request: Any, user: Any, **_: Any) -> None:
    """A wrong code of the second factor."""
    _record(
        "auth.second_factor_failed",
        action="login",
        result=AuditStatus.FAILURE,
        severity=Severity.WARNING,
        actor=user,
        error_code="bad_code",
        requires_review=True,
    )


def connect_signin() -> None:
    """Listen to sign-ins."""
    user_logged_in.connect(signed_in, dispatch_uid="audit.signed_in")
    user_logged_out.connect(signed_out, dispatch_uid="audit.signed_out")
    user_login_failed.connect(refused, dispatch_uid="audit.refused")
    authentication_failed.connect(second_factor_refused, dispatch_uid="audit.second_factor_refused")
