"""Query of the materialized report on workflow runs, run by the migration."""

RUNS = """
SELECT md5(concat_ws('/', tenant_id, day, workflow_id))::uuid AS id, tenant_id, day AS date,
  day::timestamp AT TIME ZONE 'UTC' AS created_at, workflow_id, count(*) AS runs,
  count(*) FILTER (WHERE status = 'completed') AS completed_runs,
  count(*) FILTER (WHERE status = 'failed') AS failed_runs, avg(seconds)::float8 AS avg_seconds,
  percentile_disc(0.95) WITHIN GROUP (ORDER BY seconds)::float8 AS p95_seconds
FROM (SELECT *, (started_at AT TIME ZONE 'UTC')::date AS day,
    extract(epoch FROM completed_at - started_at) AS seconds FROM workflows_workflowexecution) e
GROUP BY tenant_id, day, workflow_id
"""
