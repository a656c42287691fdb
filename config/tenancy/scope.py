"""Open a scope: the tenant, user and role that queries run with.

A scope opens a transaction, uses a database role (`SET ROLE`) and sets the tenant, user and actor that row-level
security policies read. Without a scope, no tenant's rows are visible.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from uuid import UUID

from django.db import transaction

from config.db.session import APP, NO_ROLE, OPERATOR, READER, Scope, apply_scope, current_scope, request_info


class HasId(Protocol):
    """Any object with an id: a tenant, a user or an engagement."""

    @property
    def id(self) -> UUID: ...


class ScopeRequiredError(RuntimeError):
    """Tenant data was accessed outside a scope."""


def require_scope() -> Scope:
    """Return the current scope.

    Raises:
        ScopeRequiredError: No scope is open.
    """
    scope = current_scope()
    if scope is None or scope.role == NO_ROLE:
        raise ScopeRequiredError("no tenant_scope() or platform_scope() is open")
    return scope


def require_tenant_id() -> UUID:
    """Return the tenant id of the current scope.

    Raises:
        ScopeRequiredError: No scope is open, or the scope is the platform's.
    """
    scope = require_scope()
    if scope.tenant_id is None:
        raise ScopeRequiredError("this needs one tenant's scope, not the platform's")
    return scope.tenant_id


class ScopedTransaction(transaction.Atomic):
    """A transaction of a scope, on the connection of the scope's login.

    The scope ends before the commit, so that functions run by `on_commit` are outside it.
    """

    def __init__(self, scope: Scope) -> None:
        super().__init__(using=None, savepoint=True, durable=False)
        self.scope = scope
        self._applied = apply_scope(scope)

    def __enter__(self) -> None:
        self._applied.__enter__()
        try:
            super().__enter__()
        except BaseException:
            self._applied.__exit__(None, None, None)
            raise

    def __exit__(self, *error: Any) -> None:
        self._applied.__exit__(None, None, None)
        super().__exit__(*error)


def _id(thing: HasId | UUID | str | None) -> UUID | None:
    if thing is None or isinstance(thing, UUID):
        return thing
    return UUID(thing) if isinstance(thing, str) else thing.id


@contextmanager
def tenant_scope(
    tenant: HasId | UUID | str,
    *,
    user: HasId | UUID | None = None,
    engagement: HasId | UUID | None = None,
    actor: str = "",
    read_only: bool = False,
) -> Iterator[Scope]:
    """Open a scope for one tenant, in one transaction.

    Args:
        tenant: the tenant or its id.
        user: the acting user; the actor is `user:<id>` unless `actor` is given.
        engagement: limits the scope to one engagement of the tenant; by default that of the surrounding scope.
        actor: the actor in the audit log: `user:…`, `key:…` or `system:…`. Writes require one.
        read_only: use the read-only role.

    Raises:
        ScopeError: The surrounding transaction belongs to another tenant; raised at the first statement.
    """
    user_id, tenant_id = _id(user), _id(tenant)
    outer = current_scope()
    if engagement is None and outer is not None and outer.tenant_id == tenant_id:
        engagement = outer.engagement_id
    scope = Scope(
        READER if read_only else APP,
        tenant_id,
        user_id,
        _id(engagement),
        actor or (f"user:{user_id}" if user_id else ""),
        request=request_info.get(),
    )
    with ScopedTransaction(scope):
        yield scope


@contextmanager
def platform_scope(*, reason: str, user: HasId | UUID | None = None, actor: str = "") -> Iterator[Scope]:
    """Open a scope for all tenants, recorded in the audit log.

    For platform staff and maintenance. The database refuses it if the login may not use the operator role.

    Raises:
        ValueError: `reason` is blank.
    """
    if not reason.strip():
        raise ValueError("platform_scope() needs a reason")
    user_id = _id(user)
    actor = actor or (f"user:{user_id}" if user_id else "system:platform")
    scope = Scope(OPERATOR, user_id=user_id, actor=actor, reason=reason, request=request_info.get())
    with ScopedTransaction(scope):
        _record_platform_scope(reason)
        yield scope


def _record_platform_scope(reason: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conclave_record_event('platform.scope_opened', 'tenants.tenant', '', 'success', '',"
            " jsonb_build_object('reason', %s::text))",
            [reason],
        )
