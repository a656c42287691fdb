"""Queries of the materialized reports on usage and agent activity, run by the migration."""

USAGE = """
SELECT md5(concat_ws('/', tenant_id, day, provider, model))::uuid AS id, tenant_id, day AS date,
  day::timestamp AT TIME ZONE 'UTC' AS created_at, provider, model, count(*) AS calls,
  count(*) FILTER (WHERE error_message <> '' OR status_code >= 400) AS failed_calls,
  sum(prompt_tokens)::bigint AS prompt_tokens, sum(completion_tokens)::bigint AS completion_tokens,
  sum(total_cost) AS total_cost, avg(latency_ms)::float8 AS avg_latency_ms
FROM (SELECT *, (created_at AT TIME ZONE 'UTC')::date AS day FROM agents_llmusage) u
GROUP BY tenant_id, day, provider, model
"""

ACTIVITY = """
SELECT md5(concat_ws('/', tenant_id, day, agent_id))::uuid AS id, tenant_id, day AS date,
  day::timestamp AT TIME ZONE 'UTC' AS created_at, agent_id, count(*) AS runs,
  count(*) FILTER (WHERE status = 'failed') AS failed_runs, coalesce(sum(tokens_used), 0)::bigint AS tokens_used,
  percentile_disc(0.5) WITHIN GROUP (ORDER BY execution_time_ms)::float8 AS p50_ms,
  percentile_disc(0.95) WITHIN GROUP (ORDER BY execution_time_ms)::float8 AS p95_ms,
  percentile_disc(0.99) WITHIN GROUP (ORDER BY execution_time_ms)::float8 AS p99_ms
FROM (SELECT *, (created_at AT TIME ZONE 'UTC')::date AS day FROM agents_agentrun) r
GROUP BY tenant_id, day, agent_id
"""
