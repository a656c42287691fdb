"""Attempt limit and verified e-mail addresses for password sign-in."""

from hashlib import sha256
from typing import Any

from allauth.account.models import EmailAddress
from django.db import connection

ATTEMPTS = 5
SECONDS = 60


class TooManyAttemptsError(Exception):
    """Too many sign-in attempts from one IP address for one e-mail address."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Too many sign-in attempts. Try again in {max(seconds, 1)} seconds.")


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
