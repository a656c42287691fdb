"""Resolution of API keys and sessions to credentials."""

from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection

from accounts import keys
from accounts.choices import MemberStatus
from accounts.roles import engagement_scopes, role_scopes
from accounts.services.engagement_access import EngagementAccess, list_engagement_access
from accounts.services.tenant_access import TenantAccess, parse_text_list
from config.api.credentials import Credential, CredentialRefusedError, Rate, RefusedKey, UnusableKeyError
from config.db.prepared import run_prepared
from tenants.choices import TenantStatus

KEY_SQL = (
    "SELECT key_id, key_usable, scopes, rate_limit, tenant_id, tenant_slug, tenant_status, user_id,"
    " user_active, role, member_status, permissions, hits, resets_in,"
    " engagement_id, engagement_permissions FROM conclave_authenticate_key(%s)"
)


class KeyRow(NamedTuple):
    """A row of the database function `conclave_authenticate_key`."""

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
    engagement_id: UUID | None
    engagement_permissions: Any


def _require_tenant(status: str, key: RefusedKey | None = None) -> None:
    if status != TenantStatus.ACTIVE:
        code = f"tenant_{status}" if status in TenantStatus.values else "tenant_inactive"
        raise CredentialRefusedError(code, "The organisation's account is not active.", key)


def run_first(sql: str, params: list[Any]) -> list[tuple[Any, ...]]:
    """Run the first statement of a request and reconnect if the persistent connection is broken.

    Replaces Django's health check, which costs one more round trip per request.
    """
    try:
        connection.ensure_connection()
        connection.health_check_done = True
        return run_prepared(sql, params, proved=False)
    except (OperationalError, InterfaceError):
        if connection.in_atomic_block:
            raise
        connection.close()
        return run_prepared(sql, params, proved=False)


def _require_usable(row: KeyRow) -> None:
    key = RefusedKey(row.key_id, row.tenant_id, row.user_id)
    if not row.is_usable:
        raise UnusableKeyError("key_unusable", "The API key is revoked or expired.", key)
    if not row.user_is_active:
        raise UnusableKeyError("user_inactive", "The user of this API key is not active.", key)
    _require_tenant(row.tenant_status, key)
    if row.member_status != MemberStatus.ACTIVE:
        raise CredentialRefusedError(
            "membership_inactive", "The user of this API key is not an active member.", key
        )


def _scopes_of(row: KeyRow) -> frozenset[str]:
    found = role_scopes(row.role, parse_text_list(row.permissions))
    if row.engagement_id is None or not row.engagement_permissions:
        return found
    return found | engagement_scopes(parse_text_list(row.engagement_permissions))


def resolve_key(secret: str) -> Credential | None:
    """Return the credential of an API key and count the request, in one statement.

    Returns None when the key is unknown.

    Raises:
        UnusableKeyError: The key is revoked or expired, or its user is not active.
        CredentialRefusedError: The key's tenant or the membership of its user is not active.
    """
    if not keys.is_well_formed(secret):
        return None
    rows = run_first(KEY_SQL, [keys.digest(secret)])
    if not rows:
        return None
    row = KeyRow(*rows[0])
    _require_usable(row)
    return Credential(
        kind="key",
        id=row.key_id,
        tenant_id=row.tenant_id,
        tenant_slug=row.tenant_slug,
        user_id=row.user_id,
        role=row.role or "",
        scopes=_scopes_of(row),
        key_scopes=frozenset(parse_text_list(row.scopes)),
        rate=Rate(row.hits, row.rate_limit, row.resets_in),
        engagement_id=row.engagement_id,
    )


def enter_engagement(credential: Credential, engagement_id: UUID) -> Credential | None:
    """Return the credential limited to an engagement, or None if its user may not enter it.

    The roles assigned in the engagement count in addition to those of the tenant.
    """
    if credential.engagement_id is not None:
        return credential if credential.engagement_id == engagement_id else None
    found = list_engagement_access(
        credential.tenant_id, credential.user_id, credential.scopes, wanted=engagement_id
    )
    if not found:
        return None
    return limit_credential(credential, found[0])


def limit_credential(credential: Credential, access: EngagementAccess) -> Credential:
    """Return the credential limited to an engagement, with the scopes of the roles assigned in it."""
    return replace(credential, engagement_id=access.id, scopes=credential.scopes | access.scopes)


def credential_of(user_id: UUID, seat: TenantAccess, rate: Rate | None = None) -> Credential:
    """Return the session credential of a user in the tenant of `seat`.

    Raises:
        CredentialRefusedError: The tenant is not active.
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
