"""Change the database role within a transaction, for test setup only."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from config.db.session import OPERATOR, SessionContext, apply_session


@contextmanager
def as_role(stamp: SessionContext | None) -> Iterator[None]:
    """Run the block with another role and settings, then restore the previous ones."""
    with transaction.atomic():
        connection._binding = None  # type: ignore[attr-defined]
        with apply_session(stamp):
            yield
        connection._binding = None  # type: ignore[attr-defined]


def as_platform() -> object:
    """Use the operator role, as `platform_scope` does."""
    return as_role(SessionContext(role=OPERATOR, actor="system:test"))


def as_identity() -> object:
    """Use the login's rights: users, sessions and second factors, but no tenant data."""
    return as_role(None)
