"""Active memberships of a user, read before a scope is opened."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from accounts.roles import role_scopes
from config.db.prepared import run_prepared
from tenants.choices import TenantStatus

TENANT_ACCESS_SQL = (
    "SELECT tenant_id, tenant_slug, tenant_name, tenant_status, role, permissions"
    " FROM conclave_memberships_of(%s)"
)


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


def parse_text_list(value: Any) -> list[str]:
    """Return the strings of a jsonb list, or an empty list for any other value."""
    items = orjson.loads(value) if isinstance(value, (str, bytes)) else value
    return [item for item in items if isinstance(item, str)] if isinstance(items, list) else []
