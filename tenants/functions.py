"""SQL functions of tenants."""

# Transactions in progress may add events that precede newer ones. A visible event of a transaction that has not begun
# is from another cluster: transaction IDs restart when a backup is restored.
RELAYABLE = (
    "(xid < pg_snapshot_xmin(pg_current_snapshot()) OR xid >= pg_snapshot_xmax(pg_current_snapshot()))"
)
# The worker has no scope when it looks for work. It learns IDs only, and opens a scope of each tenant.
OUTBOX_WORK = f"""
CREATE FUNCTION conclave_outbox_work() RETURNS TABLE (tenant_id uuid, endpoint_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT DISTINCT o.tenant_id, NULL::uuid FROM public.tenants_outboxevent o
  JOIN public.tenants_tenant t ON t.id = o.tenant_id AND t.status = 'active' AND t.deleted_at IS NULL
  WHERE o.relayed_at IS NULL AND {RELAYABLE}
  UNION ALL
  SELECT e.tenant_id, e.id FROM public.tenants_webhookendpoint e
  JOIN public.tenants_tenant t ON t.id = e.tenant_id AND t.status = 'active' AND t.deleted_at IS NULL
  WHERE e.is_enabled AND EXISTS (
    SELECT FROM public.tenants_webhookdelivery d WHERE d.tenant_id = e.tenant_id AND d.endpoint_id = e.id
      AND d.status = 'pending' AND d.next_attempt_at <= statement_timestamp())
$$;
REVOKE ALL ON FUNCTION conclave_outbox_work() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_outbox_work() TO conclave_queue;
"""
OUTBOX_WORK_DROP = "DROP FUNCTION conclave_outbox_work();"
