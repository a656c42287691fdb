"""Daily agent performance, computed from agent tasks."""

from datetime import UTC, date, datetime, time, timedelta

from django.db import connection

from config.db.ids import uuid7_floor
from config.tenancy.scope import platform_scope

ACTOR = "system:upkeep"
# A task counts for the day it was created. Rates cover all tasks; percentiles cover only finished ones.
COMPUTE = """
INSERT INTO workflows_agentperformancedaily (tenant_id, date, agent_name, flow_type, total_tasks, successful_tasks,
  failed_tasks, avg_duration_seconds, p50_duration_seconds, p95_duration_seconds, p99_duration_seconds,
  total_tokens_used, total_api_calls, total_cost, error_rate, retry_rate)
SELECT tenant_id, (created_at AT TIME ZONE 'UTC')::date, agent_name, flow_type, count(*),
  count(*) FILTER (WHERE status = 'completed'), count(*) FILTER (WHERE status = 'failed'), avg(duration_seconds),
  percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_seconds),
  percentile_disc(0.95) WITHIN GROUP (ORDER BY duration_seconds),
  percentile_disc(0.99) WITHIN GROUP (ORDER BY duration_seconds),
  coalesce(sum(tokens_used), 0), coalesce(sum(api_calls_made), 0), sum(cost),
  count(*) FILTER (WHERE status = 'failed')::float8 / count(*),
  count(*) FILTER (WHERE retry_count > 0)::float8 / count(*)
FROM workflows_agenttask WHERE id >= %s AND id < %s GROUP BY 1, 2, 3, 4
ON CONFLICT (tenant_id, date, agent_name, flow_type) DO UPDATE SET
  total_tasks = excluded.total_tasks, successful_tasks = excluded.successful_tasks,
  failed_tasks = excluded.failed_tasks, avg_duration_seconds = excluded.avg_duration_seconds,
  p50_duration_seconds = excluded.p50_duration_seconds, p95_duration_seconds = excluded.p95_duration_seconds,
  p99_duration_seconds = excluded.p99_duration_seconds, total_tokens_used = excluded.total_tokens_used,
  total_api_calls = excluded.total_api_calls, total_cost = excluded.total_cost,
  error_rate = excluded.error_rate, retry_rate = excluded.retry_rate
"""


def compute_performance(first: date, last: date) -> int:
    """Compute the UTC days from `first` to `last`, inclusive, and return the number of rows written.

    Covers all tenants. Replaces existing rows, so it is idempotent.
    """
    start = datetime.combine(first, time(), UTC)
    end = datetime.combine(last, time(), UTC) + timedelta(days=1)
    with (
        platform_scope(reason="compute daily agent performance", actor=ACTOR),
        connection.cursor() as cursor,
    ):
        cursor.execute(COMPUTE, [uuid7_floor(start), uuid7_floor(end)])
        return int(cursor.rowcount)
