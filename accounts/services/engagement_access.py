"""Engagements that a member may enter, read before a scope is opened."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from accounts.roles import engagement_scopes
from accounts.services.tenant_access import TenantAccess, parse_text_list
from config.api.scopes import allows
from config.db.prepared import run_prepared

ENGAGEMENTS_SQL = (
    "SELECT engagement_id, engagement_name, permissions FROM conclave_engagements_of(%s, %s, %s)"
)
# Session key of the selected engagement: "<tenant>/<engagement>".
ENGAGEMENT_KEY = "console_engagement"


@dataclass(frozen=True, slots=True)
class EngagementAccess:
    """An engagement that a member may enter; `scopes` are those of the roles assigned in it."""

    id: UUID
    name: str
    scopes: frozenset[str]


def list_engagement_access(
    tenant_id: UUID, user_id: UUID, scopes: frozenset[str], *, wanted: UUID | None = None
) -> list[EngagementAccess]:
    """Return the engagements that a member may enter, ordered by name.

    Members with `engagements:read` in the tenant may enter all of them, others those in which they have a role.
    Call it outside any scope.

    Args:
        scopes: the member's scopes in the whole tenant.
        wanted: limits the result to one engagement.
    """
    sees_all = allows(scopes, "engagements", "read")
    return [
        EngagementAccess(
            engagement_id,
            name,
            engagement_scopes(parse_text_list(permissions)) if permissions else frozenset(),
        )
        for engagement_id, name, permissions in run_prepared(ENGAGEMENTS_SQL, [tenant_id, user_id, wanted])
        if permissions or sees_all
    ]


def choose_engagement_access(
    tenant: TenantAccess, user_id: UUID, session: MutableMapping[str, Any]
) -> EngagementAccess | None:
    """Return the engagement to which a session in the tenant is limited, or None.

    A member without `engagements:read` works in the first permitted engagement until the session chooses another.
    Call it outside any scope.
    """
    tenant_id, _, chosen = str(session.get(ENGAGEMENT_KEY, "")).partition("/")
    wanted = UUID(chosen) if chosen and tenant_id == str(tenant.tenant_id) else None
    if wanted is None and allows(tenant.scopes, "engagements", "read"):
        return None
    found = list_engagement_access(tenant.tenant_id, user_id, tenant.scopes, wanted=wanted)
    if not found and wanted and not allows(tenant.scopes, "engagements", "read"):
        # The role in the chosen engagement has ended.
        found = list_engagement_access(tenant.tenant_id, user_id, tenant.scopes)
    return found[0] if found else None
