"""Triggers that enforce the limits of a tenant on rows and stored bytes.

A trigger after each INSERT, and after each UPDATE that adds usage, locks the tenant's resource until the transaction
ends and counts again. Concurrent transactions therefore cannot exceed a limit together. Tenants without a limit take
no lock. Rows beyond a lowered limit stay; the triggers refuse growth only.
"""

from config.db.constraint_messages import LIMIT_EXCEEDED
from tenants.models.plans import LIVE

_LIVE = ", ".join(f"'{status}'" for status in LIVE)

# The plan whose limits apply, at the moment of the statement. After a subscription has ended, that is the free plan, so
# that data stays and growth is refused; without a free plan, the limits of the ended subscription's plan remain.
PLAN_OF = f"""
CREATE FUNCTION tenants_plan_of(tenant uuid) RETURNS uuid LANGUAGE sql STABLE
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT CASE WHEN found.is_live THEN found.plan_id ELSE coalesce((
      SELECT f.id FROM tenants_subscriptionplan f WHERE f.plan_type = 'free' AND f.is_active
      ORDER BY f.price_monthly, f.slug LIMIT 1), found.plan_id) END
  FROM (
    SELECT s.plan_id, s.started_at, s.status IN ({_LIVE})
      AND (s.expires_at IS NULL OR s.expires_at + p.grace_days * interval '1 day' > now()) AS is_live
    FROM tenants_subscription s JOIN tenants_subscriptionplan p ON p.id = s.plan_id
    WHERE s.tenant_id = tenant
  ) AS found ORDER BY found.is_live DESC, found.started_at DESC LIMIT 1
$$;
REVOKE ALL ON FUNCTION tenants_plan_of(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenants_plan_of(uuid) TO conclave_app, conclave_operator, conclave_reader;
"""
PLAN_OF_DROP = "DROP FUNCTION tenants_plan_of(uuid);"

REQUIRE_CAPACITY = f"""
CREATE FUNCTION conclave_require_capacity(tenant uuid, kind text, added numeric) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  ceiling numeric;
  plan text;
  total numeric;
  unit numeric := CASE kind WHEN 'storage_gb' THEN 1000000000 ELSE 1 END;
BEGIN
  IF coalesce(added, 0) <= 0 THEN RETURN; END IF;
  SELECT unit * CASE WHEN q.id IS NOT NULL THEN q.limit_value ELSE CASE kind
      WHEN 'agents' THEN coalesce(t.max_agents, p.max_agents)
      WHEN 'users' THEN coalesce(t.max_users, p.max_users)
      WHEN 'engagements' THEN coalesce(t.max_engagements, p.max_engagements)
      WHEN 'storage_gb' THEN coalesce(t.storage_quota_gb, p.storage_quota_gb) END END, p.name
    INTO ceiling, plan
  FROM public.tenants_tenant t
    LEFT JOIN public.tenants_tenantquota q ON q.tenant_id = t.id AND q.resource = kind AND q.period = 'total'
      AND q.is_hard AND (q.valid_until IS NULL OR q.valid_until > now())
    LEFT JOIN public.tenants_subscriptionplan p ON p.id = public.tenants_plan_of(t.id)
  WHERE t.id = tenant;
  IF ceiling IS NULL THEN RETURN; END IF;
  -- The count is a later statement, so its snapshot includes what the previous holder of the lock committed.
  PERFORM pg_advisory_xact_lock(hashtextextended('conclave.limit.' || kind || tenant, 0));
  IF kind = 'agents' THEN
    SELECT count(*) INTO total FROM public.agents_agent WHERE tenant_id = tenant AND deleted_at IS NULL;
  ELSIF kind = 'users' THEN
    SELECT count(*) INTO total FROM public.accounts_membership
      WHERE tenant_id = tenant AND status <> 'inactive';
  ELSIF kind = 'engagements' THEN
    SELECT count(*) INTO total FROM public.tenants_engagement WHERE tenant_id = tenant;
  ELSIF kind = 'documents' THEN
    SELECT count(*) INTO total FROM public.knowledge_document WHERE tenant_id = tenant;
  ELSE
    SELECT (SELECT coalesce(sum(file_size), 0) FROM public.knowledge_document WHERE tenant_id = tenant)
      + (SELECT coalesce(sum(file_size), 0) FROM public.conversations_attachment WHERE tenant_id = tenant)
      INTO total;
  END IF;
  IF total > ceiling THEN
    RAISE EXCEPTION 'The limit of the organisation is reached.' USING ERRCODE = '{LIMIT_EXCEEDED}', DETAIL =
      jsonb_build_object('resource', kind, 'limit', ceiling, 'used', total - added, 'plan', plan,
        'resets_at', NULL);
  END IF;
END $$;
REVOKE ALL ON FUNCTION conclave_require_capacity(uuid, text, numeric) FROM PUBLIC;

CREATE FUNCTION conclave_limit_rows() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM public.conclave_require_capacity(r.tenant_id, TG_ARGV[0], count(*)) FROM new_rows r
    GROUP BY r.tenant_id ORDER BY r.tenant_id;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION conclave_limit_rows() FROM PUBLIC;

CREATE FUNCTION conclave_limit_bytes() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM public.conclave_require_capacity(r.tenant_id, 'storage_gb', sum(r.file_size)) FROM new_rows r
    GROUP BY r.tenant_id ORDER BY r.tenant_id;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION conclave_limit_bytes() FROM PUBLIC;

CREATE FUNCTION conclave_limit_change() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_ARGV[0] = 'storage_gb' THEN
    PERFORM public.conclave_require_capacity(NEW.tenant_id, TG_ARGV[0], NEW.file_size - OLD.file_size);
  ELSE
    PERFORM public.conclave_require_capacity(NEW.tenant_id, TG_ARGV[0], 1);
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION conclave_limit_change() FROM PUBLIC;
"""
REQUIRE_CAPACITY_DROP = """
DROP FUNCTION conclave_limit_change();
DROP FUNCTION conclave_limit_bytes();
DROP FUNCTION conclave_limit_rows();
DROP FUNCTION conclave_require_capacity(uuid, text, numeric);
"""


def limit_sql(table: str, resource: str, *, growth: str = "", name: str = "") -> tuple[str, str]:
    """Return the SQL that creates and the SQL that drops the limit triggers of `table`.

    Args:
        resource: Value of `QuotaResource`. `storage_gb` counts the column `file_size`, the others count rows.
        name: Prefix of the names of the triggers, by default `<table>_limit`.
        growth: SQL condition on OLD and NEW of an update that adds usage.
    """
    name = name or f"{table}_limit"
    function = f"conclave_limit_{'bytes' if resource == 'storage_gb' else 'rows'}('{resource}')"
    create = (
        f"CREATE TRIGGER {name}_insert AFTER INSERT ON {table} REFERENCING NEW TABLE AS new_rows"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {function};"
    )
    drop = f"DROP TRIGGER {name}_insert ON {table};"
    if growth:
        create += (
            f"CREATE TRIGGER {name}_update AFTER UPDATE ON {table} FOR EACH ROW WHEN ({growth})"
            f" EXECUTE FUNCTION conclave_limit_change('{resource}');"
        )
        drop += f"DROP TRIGGER {name}_update ON {table};"
    return create, drop
