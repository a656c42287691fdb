"""Active memberships of a user, read before a scope is opened."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.utils import timezone

from accounts.models import Membership, User
from accounts.roles import role_scopes
from config.db.prepared import run_prepared
from config.tenancy.scope import tenant_scope
from tenants.choices import TenantStatus

TENANT_ACCESS_SQL = (
    "SELECT tenant_id, tenant_slug, tenant_name, tenant_status, role, permissions"
    " FROM conclave_memberships_of(%s)"
)


# Session key of the selected tenant, for the console and the API.
TENANT_KEY = "console_tenant"


@dataclass(frozen=True, slots=True)
class TenantAccess:
    """An active membership; `scopes` combine role, permissions and assigned roles."""

    tenant_id: UUID
    slug: str
    name: str
    status: str
    role: str
    scopes: frozenset[str]

    @property
    def is_open(self) -> bool:
        """Return whether the tenant is active."""
        return self.status == TenantStatus.ACTIVE


def list_tenant_access(user_id: UUID) -> list[TenantAccess]:
    """Return a user's active memberships in existing tenants, ordered by slug.

    Call it outside any scope.
    """
    return [
        TenantAccess(tenant_id, slug, name, status, role, role_scopes(role, parse_text_list(extra)))
        for tenant_id, slug, name, status, role, extra in run_prepared(TENANT_ACCESS_SQL, [user_id])
    ]


def choose_tenant_access(
    accesses: list[TenantAccess], user_id: UUID, session: MutableMapping[str, Any]
) -> TenantAccess | None:
    """Return the session's membership and store it in the session.

    By default it is the one chosen last, else the oldest.
    A new membership therefore changes nothing in a session. Call it outside any scope.
    """
    if not accesses:
        return None
    by_id = {str(access.tenant_id): access for access in accesses}
    if (found := by_id.get(session.get(TENANT_KEY, ""))) is not None:
        return found
    if len(accesses) > 1:
        ((wanted,),) = run_prepared("SELECT conclave_default_tenant(%s)", [user_id])
        found = by_id.get(str(wanted))
    found = found or accesses[0]
    session[TENANT_KEY] = str(found.tenant_id)
    return found


def remember_tenant(user: User, tenant_id: UUID) -> None:
    """Store that the user chose a tenant, for later sessions.

    Call it outside any scope.
    """
    with tenant_scope(tenant_id, user=user):
        Membership.objects.filter(user_id=user.pk).update(last_chosen_at=timezone.now())


def parse_text_list(value: Any) -> list[str]:
    """Return the strings of a jsonb list, or an empty list for any other value."""
    items = orjson.loads(value) if isinstance(value, (str, bytes)) else value
    return [item for item in items if isinstance(item, str)] if isinstance(items, list) else []
