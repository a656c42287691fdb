"""The limit on agent runs of a tenant at the same time, enforced where leases are made.

A run is an answer in progress, or a meeting with all its answers. Requests to `/v1` have no leases and do not count.
The trigger locks the tenant's runs until the transaction ends and counts again, so parallel writers cannot exceed the
limit together.
"""

from config.db.constraint_messages import LIMIT_EXCEEDED

RUN_LIMIT = f"""
CREATE FUNCTION conversations_limit_runs() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  ceiling bigint;
  plan text;
  total bigint;
BEGIN
  SELECT CASE WHEN q.id IS NOT NULL THEN q.limit_value ELSE coalesce(t.max_concurrent_runs, p.max_concurrent_runs) END,
    p.name INTO ceiling, plan
  FROM public.tenants_tenant t
    LEFT JOIN public.tenants_tenantquota q ON q.tenant_id = t.id AND q.resource = 'concurrent_runs'
      AND q.period = 'total' AND q.is_hard AND (q.valid_until IS NULL OR q.valid_until > now())
    LEFT JOIN public.tenants_subscriptionplan p ON p.id = public.tenants_plan_of(t.id)
  WHERE t.id = NEW.tenant_id;
  IF ceiling IS NULL THEN RETURN NULL; END IF;
  -- The count is a later statement, so its snapshot includes what the previous holder of the lock committed.
  PERFORM pg_advisory_xact_lock(hashtextextended('conclave.limit.concurrent_runs' || NEW.tenant_id, 0));
  IF NEW.kind = 'answer' AND EXISTS (
    SELECT FROM public.conversations_answerlease m WHERE m.tenant_id = NEW.tenant_id AND m.kind = 'meeting'
      AND m.conversation_id = NEW.conversation_id)
  THEN
    RETURN NULL;
  END IF;
  SELECT count(*) INTO total FROM public.conversations_answerlease l WHERE l.tenant_id = NEW.tenant_id
    AND (l.kind = 'meeting' OR NOT EXISTS (
      SELECT FROM public.conversations_answerlease m WHERE m.tenant_id = NEW.tenant_id AND m.kind = 'meeting'
        AND m.conversation_id = l.conversation_id));
  IF total > ceiling THEN
    RAISE EXCEPTION 'The limit of the organisation is reached.' USING ERRCODE = '{LIMIT_EXCEEDED}', DETAIL =
      jsonb_build_object('resource', 'concurrent_runs', 'limit', ceiling, 'used', total - 1, 'plan', plan,
        'resets_at', NULL);
  END IF;
  RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION conversations_limit_runs() FROM PUBLIC;
CREATE TRIGGER conversations_answerlease_limit AFTER INSERT ON conversations_answerlease
  FOR EACH ROW EXECUTE FUNCTION conversations_limit_runs();
"""
RUN_LIMIT_DROP = """
DROP TRIGGER conversations_answerlease_limit ON conversations_answerlease;
DROP FUNCTION conversations_limit_runs();
"""
