"""Engagements, the second level of isolation: policies inside a tenant, and the access of its members.

A scope may name one engagement of its tenant. Restrictive policies then limit it to the rows of that engagement, in
addition to the policies of the tenant. Without an engagement they limit nothing.
"""

from collections.abc import Mapping
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from config.db.constraints import BaseDatabaseConstraint, ModelType
from config.db.scope_functions import ENGAGEMENT_VERIFIER
from config.db.session import APP, READER

_CURRENT = "(SELECT conclave_current_engagement())"


class EngagementIsolation(BaseDatabaseConstraint):
    """Restrictive policies that limit a scope with an engagement to its rows.

    Args:
        column: the column with the engagement's ID; empty for rows that follow their parents.
        optional: rows without an engagement belong to all of them: each may read them, none may change them.
        parents: the table of the parent row by the column with its ID. Each parent must be visible, if there is one.
    """

    def __init__(
        self,
        *,
        name: str,
        column: str = "",
        optional: bool = False,
        parents: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(name=name)
        self.column, self.optional, self.parents = column, optional, dict(parents or {}) or None

    def _policies(self, table: str) -> list[tuple[str, str, str]]:
        """Return the command, the roles and the condition of each policy."""
        both = f"{APP}, {READER}"
        if self.parents:
            # The policies of the parent's table apply in the subquery. Unqualified, the column could be the parent's.
            found = [
                f"({table}.{column} IS NULL OR EXISTS"
                f" (SELECT FROM {parent} parent WHERE parent.id = {table}.{column}))"
                for column, parent in self.parents.items()
            ]
            return [("ALL", both, f"{_CURRENT} IS NULL OR ({' AND '.join(found)})")]
        if not self.optional:
            # The function verifies a proof, so it must occur once.
            return [("ALL", both, f"{self.column} = coalesce({_CURRENT}, {self.column})")]
        same = f"{self.column} IS NOT DISTINCT FROM coalesce({_CURRENT}, {self.column})"
        shown = f"{self.column} IS NULL OR {same}"
        return [("SELECT", both, shown), *((verb, APP, same) for verb in ("INSERT", "UPDATE", "DELETE"))]

    def _create(self, model: ModelType, editor: BaseDatabaseSchemaEditor) -> str:
        table = editor.quote_name(model._meta.db_table)
        lines = []
        for verb, roles, condition in self._policies(table):
            clauses = "" if verb == "INSERT" else f" USING ({condition})"
            if verb not in ("SELECT", "DELETE"):
                clauses += f" WITH CHECK ({condition})"
            policy = f'CREATE POLICY "{self.name}_{verb.lower()}" ON {table} AS RESTRICTIVE FOR {verb}'
            lines.append(f"{policy} TO {roles}{clauses}")
        return ";\n".join(lines)

    def remove_sql(self, model: Any, schema_editor: Any) -> str:
        table = schema_editor.quote_name(model._meta.db_table)
        return ";\n".join(
            f'DROP POLICY "{self.name}_{verb.lower()}" ON {table}' for verb, _, _ in self._policies(table)
        )


ENGAGEMENT_SCOPE = f"""
SET LOCAL ROLE conclave_scope;{ENGAGEMENT_VERIFIER.sql()}
SET LOCAL ROLE NONE;
"""
ENGAGEMENT_SCOPE_DROP = """
SET LOCAL ROLE conclave_scope;
DROP FUNCTION conclave_current_engagement();
SET LOCAL ROLE NONE;
"""

# Members whose own roles do not let them read all engagements have access to those in which they have a role.
ENGAGEMENT_ACCESS = """
-- Null without a role in the engagement.
CREATE FUNCTION conclave_engagement_permissions(tenant uuid, person uuid, engagement uuid) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT jsonb_agg(DISTINCT p.value) FROM public.accounts_roleassignment a
    JOIN public.accounts_role r ON r.tenant_id = a.tenant_id AND r.id = a.role_id
    LEFT JOIN LATERAL jsonb_array_elements(
      CASE WHEN jsonb_typeof(r.permissions) = 'array' THEN r.permissions ELSE '[]' END) p ON true
  WHERE a.tenant_id = tenant AND a.user_id = person AND a.is_active AND a.engagement_id = engagement
    AND (a.expires_at IS NULL OR a.expires_at > now())
$$;
CREATE FUNCTION conclave_engagements_of(tenant uuid, person uuid, wanted uuid) RETURNS TABLE (
  engagement_id uuid, engagement_name text, permissions jsonb
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  IF public.conclave_identity_scope() IS NOT TRUE THEN
    RAISE EXCEPTION 'engagements of a member are read outside tenants' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN QUERY SELECT e.id, e.name::text, public.conclave_engagement_permissions(tenant, person, e.id)
  FROM public.tenants_engagement e
  WHERE e.tenant_id = tenant AND (wanted IS NULL OR e.id = wanted) ORDER BY e.name, e.id;
END $$;
REVOKE ALL ON FUNCTION conclave_engagement_permissions(uuid, uuid, uuid) FROM PUBLIC;
REVOKE ALL ON FUNCTION conclave_engagements_of(uuid, uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_engagements_of(uuid, uuid, uuid) TO conclave_identity;
"""
ENGAGEMENT_ACCESS_DROP = """
DROP FUNCTION conclave_engagements_of(uuid, uuid, uuid);
DROP FUNCTION conclave_engagement_permissions(uuid, uuid, uuid);
"""

_AUTHENTICATE_KEY = """
DROP FUNCTION conclave_authenticate_key(bytea);
CREATE FUNCTION conclave_authenticate_key(digest bytea) RETURNS TABLE (
  key_id uuid, key_usable boolean, scopes jsonb, rate_limit int, tenant_id uuid, tenant_slug text,
  tenant_status text, user_id uuid, user_active boolean, role text, member_status text,
  permissions jsonb, hits int, resets_in int{columns}
) LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT k.id, k.status = 'active' AND (k.expires_at IS NULL OR k.expires_at > now()), k.scopes, k.rate_limit,
    t.id, t.slug::text, CASE WHEN t.deleted_at IS NULL THEN t.status::text ELSE 'deleted' END, k.user_id,
    u.is_active AND u.status = 'active' AND u.deleted_at IS NULL, m.role::text, m.status::text,
    public.conclave_permissions_of(k.tenant_id, k.user_id, m.permissions), h.hits, h.resets_in{values}
  FROM public.accounts_apikey k JOIN public.tenants_tenant t ON t.id = k.tenant_id
    JOIN public.accounts_user u ON u.id = k.user_id
    LEFT JOIN public.accounts_membership m ON m.tenant_id = k.tenant_id AND m.user_id = k.user_id
    CROSS JOIN LATERAL public.conclave_hit('key:' || k.id, 60) h
  WHERE k.key_hash = digest;
  UPDATE public.accounts_apikey k SET last_used_at = now() WHERE k.key_hash = digest
    AND (k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute');
END $$;
REVOKE ALL ON FUNCTION conclave_authenticate_key(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_authenticate_key(bytea) TO conclave_identity;
"""
ENGAGEMENT_KEYS = _AUTHENTICATE_KEY.format(
    columns=", engagement_id uuid, engagement_permissions jsonb",
    values=""", k.engagement_id,
    CASE WHEN k.engagement_id IS NOT NULL
      THEN public.conclave_engagement_permissions(k.tenant_id, k.user_id, k.engagement_id) END""",
)
ENGAGEMENT_KEYS_DROP = _AUTHENTICATE_KEY.format(columns="", values="")
