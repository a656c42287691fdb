"""Current scope: the tenant, user and role that queries run with.

A scope opens a transaction, uses a database role (`SET ROLE`) and sets the tenant, user and actor that row-level
security policies read. Without a scope, no tenant's rows are visible.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from django.db import transaction

from config.db.session import APP, OPERATOR, READER, SessionContext, apply_session, request_info


class HasId(Protocol):
    """Any object with an id: a tenant, a user or an engagement."""

    @property
    def id(self) -> UUID: ...


class ScopeKind(StrEnum):
    TENANT = "tenant"
    PLATFORM = "platform"


class ScopeRequiredError(RuntimeError):
    """Tenant data was accessed outside a scope."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A scope. `tenant_id` is None in the platform scope, which sees all tenants."""

    kind: ScopeKind
    tenant_id: UUID | None
    user_id: UUID | None = None
    engagement_id: UUID | None = None
    actor: str = ""
    reason: str = ""


_scope: ContextVar[Scope | None] = ContextVar("conclave_scope", default=None)


def current_scope() -> Scope | None:
    """Return the current scope, or None."""
    return _scope.get()


def require_scope() -> Scope:
    """Return the current scope.

    Raises:
        ScopeRequiredError: No scope is open.
    """
    scope = _scope.get()
    if scope is None:
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


def _id(thing: HasId | UUID | str | None) -> UUID | None:
    if thing is None or isinstance(thing, UUID):
        return thing
    return UUID(thing) if isinstance(thing, str) else thing.id


@contextmanager
def _open_scope(scope: Scope, role: str) -> Iterator[Scope]:
    info = request_info.get()
    stamp = SessionContext(
        role=role,
        tenant_id=str(scope.tenant_id or ""),
        user_id=str(scope.user_id or ""),
        engagement_id=str(scope.engagement_id or ""),
        actor=scope.actor,
        ip=info.ip,
        request_id=info.request_id,
        user_agent=info.user_agent,
    )
    token = _scope.set(scope)
    try:
        with transaction.atomic(), apply_session(stamp):
            yield scope
    finally:
        _scope.reset(token)


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
        engagement: limits the scope to one engagement of the tenant.
        actor: the actor in the audit log: `user:…`, `key:…` or `system:…`. Writes require one.
        read_only: use the read-only role.

    Raises:
        ScopeError: The surrounding transaction belongs to another tenant; raised at the first statement.
    """
    user_id = _id(user)
    scope = Scope(
        ScopeKind.TENANT,
        _id(tenant),
        user_id,
        _id(engagement),
        actor or (f"user:{user_id}" if user_id else ""),
    )
    with _open_scope(scope, READER if read_only else APP):
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
    with _open_scope(Scope(ScopeKind.PLATFORM, None, user_id, actor=actor, reason=reason), OPERATOR) as scope:
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
