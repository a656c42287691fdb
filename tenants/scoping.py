"""Whose data the running code may touch: the current scope, and the only ways to open one.

A scope opens a transaction, wears a database role and tells PostgreSQL the tenant, the person and the
actor; row-level security does the rest. Without a scope no tenant's row is visible to anybody.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from django.db import transaction

from config.db.stamps import APP, OPERATOR, READER, Stamp, request_info, stamped


class HasId(Protocol):
    """A tenant, a person or an engagement: anything with an id."""

    @property
    def id(self) -> UUID: ...


class Kind(StrEnum):
    TENANT = "tenant"
    PLATFORM = "platform"


class ScopeRequired(RuntimeError):
    """Tenant data was asked for outside every scope."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The current scope. `tenant_id` is None in the platform scope, which sees all tenants."""

    kind: Kind
    tenant_id: UUID | None
    user_id: UUID | None = None
    engagement_id: UUID | None = None
    actor: str = ""
    reason: str = ""


_scope: ContextVar[Scope | None] = ContextVar("conclave_scope", default=None)


def current_scope() -> Scope | None:
    """The scope that is open, or None."""
    return _scope.get()


def require_scope() -> Scope:
    """The scope that is open.

    Raises:
        ScopeRequired: outside every scope.
    """
    scope = _scope.get()
    if scope is None:
        raise ScopeRequired("no tenant_scope() or platform_scope() is open")
    return scope


def require_tenant_id() -> UUID:
    """The tenant of the scope that is open.

    Raises:
        ScopeRequired: outside every scope, and in the platform scope.
    """
    scope = require_scope()
    if scope.tenant_id is None:
        raise ScopeRequired("this needs one tenant's scope, not the platform's")
    return scope.tenant_id


def _id(thing: HasId | UUID | str | None) -> UUID | None:
    if thing is None or isinstance(thing, UUID):
        return thing
    return UUID(thing) if isinstance(thing, str) else thing.id


@contextmanager
def _opened(scope: Scope, role: str) -> Iterator[Scope]:
    info = request_info.get()
    stamp = Stamp(
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
        with transaction.atomic(), stamped(stamp):
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
    """One tenant, one transaction.

    Args:
        tenant: the tenant or its id.
        user: the person who acts; becomes the actor `user:<id>` unless `actor` says more.
        engagement: the project inside the tenant, a second and optional bound.
        actor: who writes, for the audit log: `user:…`, `key:…`, `system:…`. Without one, writes are refused.
        read_only: wear the reader's role, which may not write.

    Raises:
        ScopeError: at the first statement, inside a transaction that belongs to another tenant.
    """
    user_id = _id(user)
    scope = Scope(
        Kind.TENANT, _id(tenant), user_id, _id(engagement), actor or (f"user:{user_id}" if user_id else "")
    )
    with _opened(scope, READER if read_only else APP):
        yield scope


@contextmanager
def platform_scope(*, reason: str, user: HasId | UUID | None = None, actor: str = "") -> Iterator[Scope]:
    """All tenants, for platform staff and maintenance; its opening is written to the audit log.

    Refused by the database in a process whose login may not wear the operator's role.

    Raises:
        ValueError: without a reason.
    """
    if not reason.strip():
        raise ValueError("platform_scope() needs a reason")
    user_id = _id(user)
    actor = actor or (f"user:{user_id}" if user_id else "system:platform")
    with _opened(Scope(Kind.PLATFORM, None, user_id, actor=actor, reason=reason), OPERATOR) as scope:
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
