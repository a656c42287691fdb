"""Changing hats inside one transaction, which the application may not: for what tests arrange."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from config.db.stamps import OPERATOR, Stamp, stamped


@contextmanager
def wearing(stamp: Stamp | None) -> Iterator[None]:
    """Run the block with another stamp, inside whatever scope is open, then give the old one back."""
    with transaction.atomic():
        connection._binding = None  # type: ignore[attr-defined]
        with stamped(stamp):
            yield
        connection._binding = None  # type: ignore[attr-defined]


def as_platform() -> object:
    """The operator's hat, as `platform_scope` wears it."""
    return wearing(Stamp(role=OPERATOR, actor="system:test"))


def as_identity() -> object:
    """The login's own rights: people, sessions, second factors, no tenant's data."""
    return wearing(None)
