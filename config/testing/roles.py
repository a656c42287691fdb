"""Change the database role within a transaction, for test setup only."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from config.db.session import OPERATOR, Scope, apply_scope


@contextmanager
def as_role(scope: Scope | None) -> Iterator[None]:
    """Run the block with another scope, then restore the previous ones."""
    checked = connection._checks_login  # type: ignore[attr-defined]
    with transaction.atomic():
        connection._binding, connection._checks_login = None, False  # type: ignore[attr-defined]
        try:
            with apply_scope(scope):
                yield
        finally:
            connection._binding, connection._checks_login = None, checked  # type: ignore[attr-defined]


def as_platform() -> object:
    """Use the operator role, as `platform_scope` does."""
    return as_role(Scope(role=OPERATOR, actor="system:test"))


def as_identity() -> object:
    """Use the login's rights: users, sessions and second factors, but no tenant data."""
    return as_role(None)
