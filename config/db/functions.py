"""SQL functions of the database, created by migrations (see `config/migrations`)."""

from config.db.scope_functions import SCOPE_PROOFS

CONTEXT = (
    """
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO conclave_app, conclave_identity, conclave_operator, conclave_reader, conclave_queue;
GRANT USAGE, CREATE ON SCHEMA public TO conclave_audit;
DO $$ BEGIN
  IF to_regprocedure('pg_catalog.uuidv7()') IS NULL THEN
    CREATE FUNCTION public.uuidv7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $f$
      SELECT encode(set_bit(set_bit(overlay(
        uuid_send(gen_random_uuid()) PLACING
        substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
        52, 1), 53, 1), 'hex')::uuid $f$;
  END IF;
  -- PostgreSQL 17 has a function of this kind that does not know version 7.
  IF current_setting('server_version_num')::int >= 180000 THEN
    CREATE FUNCTION conclave_uuid_time(id uuid) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
      $f$ SELECT uuid_extract_timestamp(id) $f$;
  ELSE
    CREATE FUNCTION conclave_uuid_time(id uuid) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
      $f$ SELECT to_timestamp(('x0000' || substr(replace(id::text, '-', ''), 1, 12))::bit(64)::bigint / 1000.0) $f$;
  END IF;
END $$;
"""
    + SCOPE_PROOFS
)
CONTEXT_DROP = """
SET LOCAL ROLE conclave_scope;
DROP FUNCTION conclave_audit_scope(), conclave_identity_scope(), conclave_platform_scope(), conclave_current_user(),
  conclave_current_tenant();
DROP TABLE conclave_scope_key;
SET LOCAL ROLE NONE;
DROP FUNCTION conclave_uuid_time(uuid);
DROP FUNCTION IF EXISTS public.uuidv7();
"""

# These run as the owner of the audit tables, so no other role needs INSERT on them. They log only proved values of the
# scope: `app.actor` could be changed by the statement that is logged.
# The log table does not exist yet, so the function bodies cannot be checked.
AUDIT = r"""
SET LOCAL check_function_bodies = off;
CREATE OR REPLACE FUNCTION conclave_require_actor() RETURNS void LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF current_setting('role') IN ('conclave_app', 'conclave_operator')
     AND coalesce(current_setting('app.actor', true), '') = '' THEN
    RAISE EXCEPTION 'unattributed write: the scope names no actor' USING ERRCODE = 'insufficient_privilege';
  END IF;
END $$;

CREATE OR REPLACE FUNCTION conclave_audit_write(
  label text, verb text, tenant uuid, resource text, before jsonb, after jsonb, hidden text[]
) RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO public.audit_auditlog (tenant_id, user_id, actor, action, resource_type, resource_id,
    old_values, new_values, ip_address, user_agent, request_id, db_user, status, error_message, metadata)
  -- Without its qualifier, the parameter would mean the column of the same name.
  SELECT coalesce(conclave_audit_write.tenant, s.tenant), s.person, coalesce(s.actor, 'database:' || session_user),
    split_part(label, '.', 2) || '.' || verb, label, resource,
    CASE WHEN before ?| hidden THEN (SELECT jsonb_object_agg(key, CASE WHEN key = ANY(hidden)
      AND value <> 'null' THEN '"[redacted]"' ELSE value END) FROM jsonb_each(before)) ELSE before END,
    CASE WHEN after ?| hidden THEN (SELECT jsonb_object_agg(key, CASE WHEN key = ANY(hidden)
      AND value <> 'null' THEN '"[redacted]"' ELSE value END) FROM jsonb_each(after)) ELSE after END,
    s.ip, coalesce(s.user_agent, ''), coalesce(s.request_id, ''), session_user, 'success', '', '{}'
  FROM public.conclave_audit_scope() s
$$;

CREATE OR REPLACE FUNCTION conclave_audit_change(label text, before jsonb, after jsonb, hidden text[], omitted text[])
RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  whole jsonb := coalesce(after, before);
  verb text := CASE WHEN before IS NULL THEN 'created' WHEN after IS NULL THEN 'deleted' ELSE 'updated' END;
BEGIN
  before := before - omitted;
  after := after - omitted;
  IF verb = 'updated' THEN
    SELECT jsonb_object_agg(key, value), jsonb_object_agg(key, after -> key) INTO before, after
      FROM jsonb_each(before) WHERE key <> 'updated_at' AND after -> key IS DISTINCT FROM value;
    IF before IS NULL THEN RETURN; END IF;
  END IF;
  PERFORM public.conclave_audit_write(label, verb,
    CASE WHEN label = 'tenants.tenant' THEN (whole ->> 'id')::uuid ELSE (whole ->> 'tenant_id')::uuid END,
    whole ->> 'id', before, after, hidden);
END $$;

-- The log must not receive the values of a tenant's rows while the tenant is deleted. Its deletion is an event.
-- The actor is proved with the scope.
CREATE OR REPLACE FUNCTION conclave_audit_skips(tenant uuid) RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF current_setting('app.actor', true) IS DISTINCT FROM 'system:tenant_deletion'
    OR public.conclave_platform_scope() IS NOT TRUE THEN RETURN false; END IF;
  RETURN EXISTS (SELECT FROM public.tenants_tenantdeletion d
    WHERE d.deleted_tenant_id = conclave_audit_skips.tenant AND d.status = 'running');
END $$;
REVOKE ALL ON FUNCTION conclave_audit_skips(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_audit_skips(uuid) TO conclave_audit;

CREATE OR REPLACE FUNCTION conclave_audit_row() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM public.conclave_require_actor();
  IF TG_OP <> 'INSERT' AND current_setting('role') = 'conclave_operator' AND public.conclave_audit_skips(
      (CASE TG_ARGV[0] WHEN 'tenants.tenant' THEN to_jsonb(OLD) ->> 'id' WHEN 'agents.mcpserver' THEN
        to_jsonb(OLD) ->> 'owner_id' ELSE to_jsonb(OLD) ->> 'tenant_id' END)::uuid) THEN RETURN NULL; END IF;
  PERFORM public.conclave_audit_change(TG_ARGV[0],
    CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END, CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END,
    TG_ARGV[1]::text[], TG_ARGV[2]::text[]);
  RETURN NULL;
END $$;
-- Bulk inserts and deletes are logged by one INSERT that reads only the logged columns. Converting each chunk with its
-- text and lexemes to JSON, with one statement per row, took twice as long as storing it.
CREATE OR REPLACE FUNCTION conclave_audit_statement() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE columns text;
BEGIN
  PERFORM public.conclave_require_actor();
  IF TG_OP <> 'INSERT' AND current_setting('role') = 'conclave_operator' THEN
    IF (SELECT bool_and(public.conclave_audit_skips(r.tenant_id))
        FROM (SELECT DISTINCT tenant_id FROM old_rows) r) THEN RETURN NULL; END IF;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    PERFORM public.conclave_audit_change(TG_ARGV[0], to_jsonb(o), to_jsonb(n), TG_ARGV[1]::text[],
      TG_ARGV[2]::text[]) FROM old_rows o JOIN new_rows n ON n.id = o.id;
    RETURN NULL;
  END IF;
  SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute
    WHERE attrelid = TG_RELID AND attnum > 0 AND NOT attisdropped AND attname <> ALL(TG_ARGV[2]::text[]);
  EXECUTE format($q$
    INSERT INTO public.audit_auditlog (tenant_id, user_id, actor, action, resource_type, resource_id, %3$I,
      ip_address, user_agent, request_id, db_user, status, error_message, metadata)
    SELECT coalesce((whole ->> CASE WHEN $1 = 'tenants.tenant' THEN 'id' ELSE 'tenant_id' END)::uuid,
        s.tenant),
      s.person, coalesce(s.actor, 'database:' || session_user),
      (SELECT split_part($1, '.', 2) || '.' || $2), $1, whole ->> 'id',
      CASE WHEN whole ?| $3 THEN (SELECT jsonb_object_agg(key, CASE WHEN key = ANY($3)
        AND value <> 'null' THEN '"[redacted]"' ELSE value END) FROM jsonb_each(whole)) ELSE whole END,
      s.ip, coalesce(s.user_agent, ''), coalesce(s.request_id, ''), session_user, 'success', '', '{}'
    FROM (SELECT to_jsonb(r) AS whole FROM (SELECT %1$s FROM %2$I) r) w,
      (SELECT * FROM public.conclave_audit_scope() OFFSET 0) s$q$, columns,
    CASE TG_OP WHEN 'INSERT' THEN 'new_rows' ELSE 'old_rows' END,
    CASE TG_OP WHEN 'INSERT' THEN 'new_values' ELSE 'old_values' END)
  USING TG_ARGV[0], CASE TG_OP WHEN 'INSERT' THEN 'created' ELSE 'deleted' END, TG_ARGV[1]::text[];
  RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION conclave_record_event(
  action text, resource_type text, resource_id text, status text, error_message text, metadata jsonb
) RETURNS uuid LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE made uuid;
BEGIN
  PERFORM public.conclave_require_actor();
  INSERT INTO public.audit_auditlog (tenant_id, user_id, actor, action, resource_type, resource_id,
    ip_address, user_agent, request_id, db_user, status, error_message, metadata)
  SELECT s.tenant, s.person, coalesce(s.actor, 'database:' || session_user), action, resource_type, resource_id,
    s.ip, coalesce(s.user_agent, ''), coalesce(s.request_id, ''), session_user, status, error_message, metadata
  FROM public.conclave_audit_scope() s RETURNING id INTO made;
  RETURN made;
END $$;

CREATE OR REPLACE FUNCTION conclave_audit_forbid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the audit log is append-only' USING ERRCODE = 'insufficient_privilege'; END $$;

ALTER FUNCTION conclave_audit_write(text, text, uuid, text, jsonb, jsonb, text[]) OWNER TO conclave_audit;
ALTER FUNCTION conclave_audit_change(text, jsonb, jsonb, text[], text[]) OWNER TO conclave_audit;
ALTER FUNCTION conclave_audit_row() OWNER TO conclave_audit;
ALTER FUNCTION conclave_audit_statement() OWNER TO conclave_audit;
ALTER FUNCTION conclave_record_event(text, text, text, text, text, jsonb) OWNER TO conclave_audit;
SET LOCAL check_function_bodies = on;
-- A role that may create temporary tables could attach these to one and forge the log.
REVOKE ALL ON FUNCTION conclave_audit_row() FROM PUBLIC;
REVOKE ALL ON FUNCTION conclave_audit_statement() FROM PUBLIC;
REVOKE ALL ON FUNCTION conclave_audit_write(text, text, uuid, text, jsonb, jsonb, text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION conclave_audit_change(text, jsonb, jsonb, text[], text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION conclave_record_event(text, text, text, text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_record_event(text, text, text, text, text, jsonb)
  TO conclave_app, conclave_operator, conclave_identity;
"""
AUDIT_DROP = """
DROP FUNCTION conclave_audit_forbid();
DROP FUNCTION conclave_record_event(text, text, text, text, text, jsonb);
DROP FUNCTION conclave_audit_statement();
DROP FUNCTION conclave_audit_row();
DROP FUNCTION conclave_audit_skips(uuid);
DROP FUNCTION conclave_audit_change(text, jsonb, jsonb, text[], text[]);
DROP FUNCTION conclave_audit_write(text, text, uuid, text, jsonb, jsonb, text[]);
DROP FUNCTION conclave_require_actor();
"""

# Partitions inherit neither policies nor grants: each gets forced RLS and no grants.
PARTITIONS = """
CREATE FUNCTION conclave_make_partition(parent text, part text, lower_id uuid, upper_id uuid)
RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE owner_name text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('conclave.partition.' || parent, 0));
  IF to_regclass(format('public.%I', part)) IS NOT NULL THEN RETURN false; END IF;
  SELECT pg_get_userbyid(c.relowner) INTO owner_name FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
    WHERE p.partrelid = to_regclass(format('public.%I', parent)) AND part LIKE parent || '\\_p%';
  IF owner_name IS NULL THEN
    RAISE EXCEPTION '% is not a partition of %', part, parent USING ERRCODE = 'invalid_parameter_value';
  END IF;
  EXECUTE format('CREATE TABLE public.%I PARTITION OF public.%I FOR VALUES FROM (%L) TO (%L)',
    part, parent, lower_id, upper_id);
  EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', part);
  EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', part);
  EXECUTE format('CREATE POLICY owner_only ON public.%I FOR SELECT TO %I USING (true)', part, owner_name);
  IF owner_name <> current_user THEN EXECUTE format('ALTER TABLE public.%I OWNER TO %I', part, owner_name); END IF;
  RETURN true;
END $$;
REVOKE ALL ON FUNCTION conclave_make_partition(text, text, uuid, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_make_partition(text, text, uuid, uuid) TO conclave_queue, conclave_operator;
"""
PARTITIONS_DROP = "DROP FUNCTION conclave_make_partition(text, text, uuid, uuid);"

# An UNLOGGED table is exact across processes and lost after a crash, which is acceptable for a one-minute window.
RATE_LIMITS = """
CREATE UNLOGGED TABLE conclave_rate (bucket text PRIMARY KEY, window_start bigint NOT NULL, hits int NOT NULL)
  WITH (fillfactor = 50);
CREATE FUNCTION conclave_hit(bucket_name text, seconds int, OUT hits int, OUT resets_in int)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO public.conclave_rate AS r (bucket, window_start, hits)
  VALUES (bucket_name, floor(extract(epoch FROM clock_timestamp()) / seconds)::bigint, 1)
  ON CONFLICT (bucket) DO UPDATE SET
    hits = CASE WHEN r.window_start = excluded.window_start THEN r.hits + 1 ELSE 1 END,
    window_start = excluded.window_start
  RETURNING r.hits, ((r.window_start + 1) * seconds - extract(epoch FROM clock_timestamp()))::int
$$;
REVOKE ALL ON conclave_rate FROM PUBLIC;
REVOKE ALL ON FUNCTION conclave_hit(text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_hit(text, int) TO conclave_app, conclave_identity, conclave_operator;
"""
RATE_LIMITS_DROP = "DROP FUNCTION conclave_hit(text, int); DROP TABLE conclave_rate;"

# Authentication happens before a tenant is known, through SECURITY DEFINER functions with a narrow purpose each.
CREDENTIALS = """
CREATE FUNCTION conclave_permissions_of(tenant uuid, person uuid, extra jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RETURN CASE WHEN jsonb_typeof(extra) = 'array' THEN extra ELSE '[]' END || coalesce((
    SELECT jsonb_agg(DISTINCT p.value) FROM public.accounts_roleassignment a
      JOIN public.accounts_role r ON r.tenant_id = a.tenant_id AND r.id = a.role_id
      CROSS JOIN LATERAL jsonb_array_elements(
        CASE WHEN jsonb_typeof(r.permissions) = 'array' THEN r.permissions ELSE '[]' END) p
    WHERE a.tenant_id = tenant AND a.user_id = person AND a.is_active AND a.scope = 'tenant'
      AND (a.expires_at IS NULL OR a.expires_at > now())), '[]');
END $$;
CREATE FUNCTION conclave_authenticate_key(digest bytea) RETURNS TABLE (
  key_id uuid, key_usable boolean, scopes jsonb, rate_limit int, tenant_id uuid, tenant_slug text,
  tenant_status text, user_id uuid, user_active boolean, role text, member_status text,
  permissions jsonb, hits int, resets_in int
) LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT k.id, k.status = 'active' AND (k.expires_at IS NULL OR k.expires_at > now()), k.scopes, k.rate_limit,
    t.id, t.slug::text, CASE WHEN t.deleted_at IS NULL THEN t.status::text ELSE 'deleted' END, k.user_id,
    u.is_active AND u.status = 'active' AND u.deleted_at IS NULL, m.role::text, m.status::text,
    public.conclave_permissions_of(k.tenant_id, k.user_id, m.permissions), h.hits, h.resets_in
  FROM public.accounts_apikey k JOIN public.tenants_tenant t ON t.id = k.tenant_id
    JOIN public.accounts_user u ON u.id = k.user_id
    LEFT JOIN public.accounts_membership m ON m.tenant_id = k.tenant_id AND m.user_id = k.user_id
    CROSS JOIN LATERAL public.conclave_hit('key:' || k.id, 60) h
  WHERE k.key_hash = digest;
  UPDATE public.accounts_apikey k SET last_used_at = now() WHERE k.key_hash = digest
    AND (k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute');
END $$;
REVOKE ALL ON FUNCTION conclave_permissions_of(uuid, uuid, jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION conclave_authenticate_key(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_authenticate_key(bytea) TO conclave_identity;
"""
# The user is an argument, so the caller must prove that it works for sign-in. The digest of a key is a secret already.
MEMBERSHIPS = """
CREATE OR REPLACE FUNCTION conclave_memberships_of(person uuid) RETURNS TABLE (
  tenant_id uuid, tenant_slug text, tenant_name text, tenant_status text, role text, permissions jsonb
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  IF public.conclave_identity_scope() IS NOT TRUE THEN
    RAISE EXCEPTION 'memberships are read outside tenants' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN QUERY SELECT t.id, t.slug::text, t.name::text, t.status::text, m.role::text,
    public.conclave_permissions_of(t.id, person, m.permissions)
  FROM public.accounts_membership m JOIN public.tenants_tenant t ON t.id = m.tenant_id
  WHERE m.user_id = person AND m.status = 'active' AND t.deleted_at IS NULL ORDER BY t.slug;
END $$;
REVOKE ALL ON FUNCTION conclave_memberships_of(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_memberships_of(uuid) TO conclave_identity;
"""
CREDENTIALS += MEMBERSHIPS
CREDENTIALS_DROP = """
DROP FUNCTION conclave_memberships_of(uuid);
DROP FUNCTION conclave_authenticate_key(bytea);
DROP FUNCTION conclave_permissions_of(uuid, uuid, jsonb);
"""

# Reports are refreshed as their owner, who sees the rows of all tenants, and read through a filtering view.
REPORTS = """
CREATE FUNCTION conclave_refresh_report(report text, gently boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_matviews WHERE schemaname = 'public' AND matviewname = report || '_kept') THEN
    RAISE EXCEPTION '% is not a report', report USING ERRCODE = 'invalid_parameter_value';
  END IF;
  EXECUTE format('REFRESH MATERIALIZED VIEW %s public.%I',
    CASE WHEN gently THEN 'CONCURRENTLY' ELSE '' END, report || '_kept');
END $$;
REVOKE ALL ON FUNCTION conclave_refresh_report(text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_refresh_report(text, boolean) TO conclave_queue, conclave_operator;
CREATE FUNCTION conclave_report_forbid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'a report is computed' USING ERRCODE = 'insufficient_privilege'; END $$;
"""
REPORTS_DROP = """
DROP FUNCTION conclave_report_forbid();
DROP FUNCTION conclave_refresh_report(text, boolean);
"""

# `greatest` ignores NULL: generated columns have no value in a BEFORE trigger.
UPDATED_AT = """
CREATE FUNCTION conclave_set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    NEW.updated_at := coalesce(NEW.created_at, public.conclave_uuid_time(NEW.id));
  ELSE
    NEW.updated_at := greatest(clock_timestamp(), OLD.created_at, NEW.created_at);
  END IF;
  RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION conclave_set_updated_at() FROM PUBLIC;
"""
UPDATED_AT_DROP = "DROP FUNCTION conclave_set_updated_at()"
