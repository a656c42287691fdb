"""Attempt limit, verified e-mail addresses and second factors of password sign-in."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.db import connection

ATTEMPTS = 5
SECONDS = 60


class TooManyAttemptsError(Exception):
    """Too many sign-in attempts from one IP address for one e-mail address."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Too many sign-in attempts. Try again in {max(seconds, 1)} seconds.")


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """Status of a user's two-factor authentication, without secrets."""

    is_enabled: bool
    created_at: datetime | None = None
    last_used_at: datetime | None = None


def find_second_factor(user_id: UUID) -> SecondFactor:
    """Return whether sign-in asks the user for a code. Call it outside any scope."""
    rows = Authenticator.objects.filter(user_id=user_id)
    found = rows.filter(type=Authenticator.Type.TOTP).first()
    if found is None:
        return SecondFactor(is_enabled=False)
    used = [row.last_used_at for row in rows if row.last_used_at]
    return SecondFactor(True, found.created_at, max(used, default=None))


def count_attempt(email: str, ip: str) -> None:
    """Count a sign-in attempt, across all processes.

    Raises:
        TooManyAttemptsError: `ATTEMPTS` were already made in the current minute.
    """
    bucket = sha256(f"{ip}|{email.strip().lower()}".encode()).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT hits, resets_in FROM conclave_hit(%s, %s)", [f"signin:{bucket}", SECONDS])
        hits, resets_in = cursor.fetchone()
    if hits > ATTEMPTS:
        raise TooManyAttemptsError(resets_in)


def confirm_email_address(user: Any) -> None:
    """Mark the e-mail address of a verified user as confirmed in allauth.

    Users verified by an administrator or a command have no allauth `EmailAddress` yet.
    """
    if user.is_verified and not EmailAddress.objects.filter(user=user, verified=True).exists():
        EmailAddress.objects.update_or_create(
            user=user, email=user.email, defaults={"verified": True, "primary": True}
        )
