"""Who asks: an API key or a signed-in person, the tenant that follows from it, and what both may do."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection

from accounts import keys
from accounts.choices import MemberStatus
from accounts.roles import allows, beyond, role_scopes
from accounts.services.seats import Seat, texts_of
from tenants.choices import TenantStatus

KEY_SQL = (
    "SELECT key_id, key_usable, scopes, rate_limit, tenant_id, tenant_slug, tenant_status, user_id,"
    " user_active, role, member_status, permissions, hits, resets_in FROM conclave_authenticate_key(%s)"
)


class Refused(Exception):
    """A credential that is real and may not be used now.

    Args:
        code: the reason, for programs, such as `tenant_suspended`.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class Rate:
    """Where a caller stands in the running window: requests, requests allowed, seconds until it ends."""

    hits: int
    limit: int
    reset: int

    @property
    def exceeded(self) -> bool:
        return self.hits > self.limit

    def headers(self) -> dict[str, str]:
        """The header fields of `draft-ietf-httpapi-ratelimit-headers`, in their widely read form."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(max(self.limit - self.hits, 0)),
            "RateLimit-Reset": str(max(self.reset, 0)),
        }


@dataclass(frozen=True, slots=True)
class Principal:
    """The person behind a credential, as far as Django asks for one; loaded without a query."""

    id: UUID
    is_authenticated: bool = True
    is_anonymous: bool = False
    is_active: bool = True

    @property
    def pk(self) -> UUID:
        return self.id


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request was authenticated with.

    `scopes` come from the person's role and extra permissions; `key_scopes` restrict them (None: no
    restriction). Something is allowed when both allow it.
    """

    kind: str
    id: UUID
    tenant_id: UUID
    tenant_slug: str
    user_id: UUID
    role: str
    scopes: frozenset[str]
    key_scopes: frozenset[str] | None
    rate: Rate | None = field(default=None, compare=False)

    @property
    def actor(self) -> str:
        """Who writes, for the audit log."""
        return f"{'key' if self.kind == 'key' else 'user'}:{self.id}"

    def allows(self, resource: str, verb: str) -> bool:
        """Whether the person may, and the key restricts no further."""
        if not allows(self.scopes, resource, verb):
            return False
        return self.key_scopes is None or allows(self.key_scopes, resource, verb)

    def beyond(self, scopes: Iterable[object]) -> list[str]:
        """Those of `scopes` that go beyond what the person or the key covers, as texts in order."""
        wanted = list(scopes)
        exceeding = set(beyond(self.scopes, wanted))
        if self.key_scopes is not None:
            exceeding.update(beyond(self.key_scopes, wanted))
        return sorted(exceeding)

    def covers(self, scope: str) -> bool:
        """Whether `scope` (`<resource>:<verb>`, wildcards included) gives nothing that this one lacks."""
        return not self.beyond([scope])


class KeyRow(NamedTuple):
    """What `conclave_authenticate_key` answers."""

    key_id: UUID
    is_usable: bool
    scopes: Any
    rate_limit: int
    tenant_id: UUID
    tenant_slug: str
    tenant_status: str
    user_id: UUID
    user_is_active: bool
    role: str | None
    member_status: str | None
    permissions: Any
    hits: int
    resets_in: int


def _require_tenant(status: str) -> None:
    if status != TenantStatus.ACTIVE:
        code = f"tenant_{status}" if status in TenantStatus.values else "tenant_inactive"
        raise Refused(code, "This organisation's account is not active.")


def _row(sql: str, params: list[Any]) -> list[tuple[Any, ...]]:
    with connection.prepared_cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def _first(sql: str, params: list[Any]) -> list[tuple[Any, ...]]:
    """The request's first statement, which itself finds out whether the kept connection still lives.

    Django would ask before it, which is one round trip more for each request.
    """
    connection.health_check_done = True
    try:
        return _row(sql, params)
    except (OperationalError, InterfaceError):
        if connection.in_atomic_block:
            raise
        connection.close()
        return _row(sql, params)


def resolve_key(secret: str) -> Credential | None:
    """The credential of an API key, and one hit on its rate limit; None when the key is worth nothing.

    One statement.

    Raises:
        Refused: when its tenant or its person's membership is not active.
    """
    if not keys.well_formed(secret):
        return None
    rows = _first(KEY_SQL, [keys.digest(secret)])
    if not rows:
        return None
    row = KeyRow(*rows[0])
    if not row.is_usable or not row.user_is_active:
        return None
    _require_tenant(row.tenant_status)
    if row.member_status != MemberStatus.ACTIVE:
        raise Refused("membership_inactive", "The person behind this key is no active member.")
    return Credential(
        kind="key",
        id=row.key_id,
        tenant_id=row.tenant_id,
        tenant_slug=row.tenant_slug,
        user_id=row.user_id,
        role=row.role or "",
        scopes=role_scopes(row.role, texts_of(row.permissions)),
        key_scopes=frozenset(texts_of(row.scopes)),
        rate=Rate(row.hits, row.rate_limit, row.resets_in),
    )


def credential_of(user_id: UUID, seat: Seat, rate: Rate | None = None) -> Credential:
    """The credential of a person who works in one of the own tenants.

    Raises:
        Refused: when the tenant is not active.
    """
    _require_tenant(seat.status)
    return Credential(
        kind="session",
        id=user_id,
        tenant_id=seat.tenant_id,
        tenant_slug=seat.slug,
        user_id=user_id,
        role=seat.role,
        scopes=seat.scopes,
        key_scopes=None,
        rate=rate,
    )


def count_hit(bucket: str, limit: int, seconds: int = 60) -> Rate:
    """One request more in `bucket`, counted in the database and thereby across processes."""
    ((hits, reset),) = _row("SELECT hits, resets_in FROM conclave_hit(%s, %s)", [bucket, seconds])
    return Rate(hits, limit, reset)
