"""Query of the materialized report on conversations, run by the migration."""

ACTIVITY = """
SELECT md5(concat_ws('/', tenant_id, day))::uuid AS id, tenant_id, day AS date,
  day::timestamp AT TIME ZONE 'UTC' AS created_at, count(DISTINCT conversation_id) AS conversations,
  count(DISTINCT user_id) AS people, count(*) FILTER (WHERE role = 'user') AS questions,
  count(*) FILTER (WHERE role = 'assistant') AS answers,
  count(*) FILTER (WHERE role = 'assistant' AND status = 'failed') AS failed_answers,
  sum(token_count)::bigint AS token_count, sum(cost) AS cost,
  percentile_disc(0.95) WITHIN GROUP (ORDER BY latency_ms)::float8 AS p95_latency_ms
FROM (SELECT *, (created_at AT TIME ZONE 'UTC')::date AS day FROM conversations_message) m
GROUP BY tenant_id, day
"""
