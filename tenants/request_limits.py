"""Limits on the API requests of a tenant, leased to the processes that answer them.

A process leases requests by one statement and counts them in memory (`config.api.request_leases`). A lease counts as
used at once, so processes cannot exceed a limit together. It is at most a fiftieth of what is left, so that unused
leases of other processes refuse no request early, except near the limit, where each request is a lease.
"""

# One row per tenant and period, whose count starts again in the next period. A clock that jumps back keeps the count.
REQUEST_LIMITS = """
CREATE TABLE conclave_request_count (
  tenant_id uuid NOT NULL REFERENCES tenants_tenant (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
  period text NOT NULL, period_start timestamptz NOT NULL, used bigint NOT NULL, PRIMARY KEY (tenant_id, period)
);
REVOKE ALL ON conclave_request_count FROM PUBLIC;

CREATE FUNCTION conclave_publish_request_limit(
  kind text, tenant uuid, period text, period_start timestamptz, facts jsonb
) RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  INSERT INTO public.tenants_outboxevent (tenant_id, type, key, data)
  SELECT tenant, kind, e.key, jsonb_build_object('subject', 'tenant', 'subject_id', tenant, 'resource', 'api_requests',
    'period', period) || facts
  FROM (SELECT concat_ws(':', kind, 'tenant', tenant, 'api_requests', period,
    to_char(period_start AT TIME ZONE 'UTC', 'YYYY-MM-DD')) AS key) AS e
  WHERE NOT EXISTS (SELECT FROM public.tenants_outboxevent o WHERE o.tenant_id = tenant AND o.key = e.key)
$$;
REVOKE ALL ON FUNCTION conclave_publish_request_limit(text, uuid, text, timestamptz, jsonb) FROM PUBLIC;

CREATE FUNCTION conclave_lease_requests(
  tenant uuid, returned int, leased timestamptz, most int, OUT granted int, OUT limited_by text, OUT ceiling bigint,
  OUT used bigint, OUT plan text, OUT resets_at timestamptz, OUT moment timestamptz
) LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  term record;
  counted bigint;
  remaining bigint;
  terms jsonb := '{}';
BEGIN
  moment := clock_timestamp();
  FOR term IN
    SELECT w.period, CASE WHEN h.id IS NOT NULL THEN h.limit_value ELSE w.planned END AS ceiling, p.name AS plan,
      coalesce(w.start, 'epoch') AS start, w.following, coalesce(q.warn_at_percent, 80) AS percent,
      coalesce(q.limit_value, CASE WHEN h.id IS NOT NULL THEN h.limit_value ELSE w.planned END) AS warned
    FROM public.tenants_tenant t
      LEFT JOIN public.tenants_subscriptionplan p ON p.id = public.tenants_plan_of(t.id)
      CROSS JOIN LATERAL (VALUES
        ('day', coalesce(t.max_daily_requests, p.max_daily_requests)::bigint, date_trunc('day', moment, 'UTC'),
          date_trunc('day', moment, 'UTC') + interval '1 day'),
        ('month', coalesce(t.api_quota_monthly, p.api_quota_monthly)::bigint, date_trunc('month', moment, 'UTC'),
          (date_trunc('month', moment AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC'),
        ('total', NULL, NULL, NULL)) AS w (period, planned, start, following)
      LEFT JOIN public.tenants_tenantquota q ON q.tenant_id = t.id AND q.resource = 'requests'
        AND q.period = w.period AND (q.valid_until IS NULL OR q.valid_until > moment)
      LEFT JOIN public.tenants_tenantquota h ON h.id = q.id AND h.is_hard
    WHERE t.id = tenant AND CASE WHEN h.id IS NOT NULL THEN h.limit_value ELSE w.planned END IS NOT NULL
    ORDER BY w.period
  LOOP
    INSERT INTO public.conclave_request_count AS c (tenant_id, period, period_start, used)
    VALUES (tenant, term.period, term.start, 0)
    ON CONFLICT (tenant_id, period) DO UPDATE SET period_start = greatest(c.period_start, excluded.period_start),
      used = CASE WHEN excluded.period_start > c.period_start THEN 0
        WHEN leased >= c.period_start THEN greatest(c.used - returned, 0) ELSE c.used END
    RETURNING c.used INTO counted;
    terms := terms || jsonb_build_object(term.period, to_jsonb(term));
    IF remaining IS NULL OR term.ceiling - counted < remaining THEN
      remaining := term.ceiling - counted;
      limited_by := term.period;
      ceiling := term.ceiling;
      used := counted;
      plan := term.plan;
      resets_at := term.following;
    END IF;
  END LOOP;
  IF remaining IS NULL THEN RETURN; END IF;
  granted := CASE WHEN remaining <= 0 OR most <= 0 THEN 0 ELSE greatest(1, least(most, remaining / 50)) END;
  used := used + granted;
  FOR term IN
    UPDATE public.conclave_request_count c SET used = c.used + granted
    WHERE c.tenant_id = tenant AND terms ? c.period
    RETURNING c.period, c.period_start, c.used AS counted, (terms -> c.period ->> 'warned')::numeric AS warned,
      (terms -> c.period ->> 'percent')::int AS percent
  LOOP
    IF granted > 0 AND term.counted >= term.warned * term.percent / 100
      AND term.counted - granted < term.warned * term.percent / 100
    THEN
      PERFORM public.conclave_publish_request_limit('budget.warning', tenant, term.period, term.period_start,
        jsonb_build_object('limit', term.warned, 'used', term.counted, 'percent', term.percent));
    ELSIF most > 0 AND remaining <= 0 AND term.period = limited_by THEN
      PERFORM public.conclave_publish_request_limit('budget.exceeded', tenant, term.period, term.period_start,
        jsonb_build_object('limit', ceiling));
    END IF;
  END LOOP;
END $$;
REVOKE ALL ON FUNCTION conclave_lease_requests(uuid, int, timestamptz, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION conclave_lease_requests(uuid, int, timestamptz, int) TO conclave_identity;
"""
REQUEST_LIMITS_DROP = """
DROP FUNCTION conclave_lease_requests(uuid, int, timestamptz, int);
DROP FUNCTION conclave_publish_request_limit(text, uuid, text, timestamptz, jsonb);
DROP TABLE conclave_request_count;
"""
# Only the owner's functions reach the table, but `doctor` requires policies on every table of tenants.
REQUEST_COUNT_POLICY = """
ALTER TABLE conclave_request_count ENABLE ROW LEVEL SECURITY;
ALTER TABLE conclave_request_count FORCE ROW LEVEL SECURITY;
CREATE POLICY conclave_request_count_owner_all ON conclave_request_count FOR ALL TO conclave_owner
  USING (true) WITH CHECK (true);
"""
REQUEST_COUNT_POLICY_DROP = """
DROP POLICY conclave_request_count_owner_all ON conclave_request_count;
ALTER TABLE conclave_request_count NO FORCE ROW LEVEL SECURITY;
ALTER TABLE conclave_request_count DISABLE ROW LEVEL SECURITY;
"""
