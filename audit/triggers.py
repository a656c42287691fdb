"""SQL of the audit log: ownership, write protection, sealing and verification.

A transaction older than every running transaction is closed: no row can be added to its range. A seal hashes
the rows of one partition in such a range and is chained to the previous seal, which reveals changed rows,
missing rows and missing seals. The database cannot reveal that the newest rows were removed together with the
newest seals, so `audit.services.sealing` copies the seals to a file.
"""

COLUMNS = (
    "id, xid, tenant_id, user_id, actor, action, resource_type, resource_id, old_values, new_values,"
    " ip_address, user_agent, request_id, db_user, status, error_message, metadata"
)
FIELDS = ", ".join(f"l.{name.strip()}" for name in COLUMNS.replace("xid,", "xid::text,", 1).split(","))

SEAL_FUNCTIONS = f"""
CREATE FUNCTION conclave_audit_hash(l audit_auditlog) RETURNS bytea LANGUAGE sql STABLE
SET timezone = 'UTC' SET datestyle = 'ISO, YMD' SET search_path = pg_catalog, pg_temp AS $$
  SELECT sha256(convert_to(jsonb_build_array({FIELDS})::text, 'UTF8')) $$;

CREATE FUNCTION conclave_audit_root(part text, lo xid8, hi xid8, OUT counted bigint, OUT root bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  SELECT count(*), sha256(coalesce(string_agg(public.conclave_audit_hash(l), ''::bytea ORDER BY l.id), ''::bytea))
    INTO counted, root FROM public.audit_auditlog l
    WHERE l.tableoid = to_regclass(format('public.%I', part)) AND l.xid >= lo AND l.xid < hi;
END $$;

CREATE FUNCTION conclave_audit_seal_hash(n bigint, part text, lo xid8, hi xid8, counted bigint, prev bytea, root bytea)
RETURNS bytea LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT sha256(prev || root || convert_to(format('%s|%s|%s|%s|%s', n, part, lo, hi, counted), 'UTF8')) $$;

CREATE FUNCTION conclave_audit_seal() RETURNS TABLE (n bigint, partition text, row_count bigint, hash text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  hi xid8 := pg_snapshot_xmin(pg_current_snapshot());
  cluster bigint := (SELECT system_identifier FROM pg_control_system());
  lo xid8; place bigint; before bytea; part record; sum record; made bytea;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('conclave.audit.seal', 0));
  SELECT s.n, s.hash INTO place, before FROM public.audit_auditseal s ORDER BY s.n DESC LIMIT 1;
  -- Transaction ids restart in another cluster (restore by dump), and so does the window.
  SELECT coalesce(max(s.xid_hi), '0'::xid8) INTO lo FROM public.audit_auditseal s
    WHERE s.system_identifier = cluster;
  FOR part IN SELECT c.relname AS name FROM public.audit_auditlog l JOIN pg_class c ON c.oid = l.tableoid
    WHERE l.xid >= lo AND l.xid < hi GROUP BY 1 ORDER BY 1
  LOOP
    SELECT * INTO sum FROM public.conclave_audit_root(part.name, lo, hi);
    place := coalesce(place, 0) + 1;
    before := coalesce(before, sha256('genesis'::bytea));
    made := public.conclave_audit_seal_hash(place, part.name, lo, hi, sum.counted, before, sum.root);
    INSERT INTO public.audit_auditseal (n, partition, xid_lo, xid_hi, row_count, root, prev, hash, system_identifier)
      VALUES (place, part.name, lo, hi, sum.counted, sum.root, before, made, cluster);
    before := made;
    RETURN QUERY SELECT place, part.name::text, sum.counted, encode(made, 'hex');
  END LOOP;
END $$;

CREATE FUNCTION conclave_audit_verify() RETURNS TABLE (
  n bigint, partition text, row_count bigint, verdict text, hash text
) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  cluster bigint := (SELECT system_identifier FROM pg_control_system());
  seal record; before bytea := sha256('genesis'::bytea); expected bigint := 1; sum record; word text;
BEGIN
  FOR seal IN SELECT * FROM public.audit_auditseal s ORDER BY s.n LOOP
    IF seal.n <> expected OR seal.prev <> before OR seal.hash <> public.conclave_audit_seal_hash(
        seal.n, seal.partition, seal.xid_lo, seal.xid_hi, seal.row_count, seal.prev, seal.root) THEN
      word := 'chain broken';
    ELSIF seal.system_identifier <> cluster THEN word := 'ok (of another cluster)';
    ELSIF to_regclass(format('public.%I', seal.partition)) IS NULL THEN word := 'ok (partition expired)';
    ELSE
      SELECT * INTO sum FROM public.conclave_audit_root(seal.partition, seal.xid_lo, seal.xid_hi);
      word := CASE WHEN sum.root = seal.root AND sum.counted = seal.row_count THEN 'ok'
        ELSE format('rows tampered (%s of %s)', sum.counted, seal.row_count) END;
    END IF;
    expected := seal.n + 1;
    before := seal.hash;
    RETURN QUERY SELECT seal.n, seal.partition::text, seal.row_count, word, encode(seal.hash, 'hex');
  END LOOP;
END $$;
ALTER FUNCTION conclave_audit_hash(audit_auditlog) OWNER TO conclave_audit;
ALTER FUNCTION conclave_audit_root(text, xid8, xid8) OWNER TO conclave_audit;
ALTER FUNCTION conclave_audit_seal() OWNER TO conclave_audit;
ALTER FUNCTION conclave_audit_verify() OWNER TO conclave_audit;
REVOKE ALL ON FUNCTION conclave_audit_root(text, xid8, xid8) FROM PUBLIC;
REVOKE ALL ON FUNCTION conclave_audit_seal() FROM PUBLIC;
REVOKE ALL ON FUNCTION conclave_audit_verify() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_audit_seal() TO conclave_queue, conclave_operator;
GRANT EXECUTE ON FUNCTION conclave_audit_verify() TO conclave_queue, conclave_operator;
"""
DROP_SEAL_FUNCTIONS = """
DROP FUNCTION conclave_audit_verify();
DROP FUNCTION conclave_audit_seal();
DROP FUNCTION conclave_audit_seal_hash(bigint, text, xid8, xid8, bigint, bytea, bytea);
DROP FUNCTION conclave_audit_root(text, xid8, xid8);
DROP FUNCTION conclave_audit_hash(audit_auditlog);
"""

OWNERSHIP = "".join(
    f"""
CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table}
  FOR EACH ROW EXECUTE FUNCTION conclave_audit_forbid();
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
  FOR EACH STATEMENT EXECUTE FUNCTION conclave_audit_forbid();
ALTER TABLE {table} OWNER TO conclave_audit;
"""
    for table in ("audit_auditlog", "audit_auditseal")
)
OWNERSHIP_REVERT = "".join(
    f"""
ALTER TABLE {table} OWNER TO conclave_owner;
DROP TRIGGER {table}_no_truncate ON {table};
DROP TRIGGER {table}_no_change ON {table};
"""
    for table in ("audit_auditlog", "audit_auditseal")
)
