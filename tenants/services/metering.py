"""Roll-up of meter events into usage metrics and costs.

An event is added to the metrics of its hour, day and month in the statement that marks it, so a run that fails or runs
twice changes nothing. Events are selected by their mark and not by their time: late events and a clock that jumps back
do no harm.
"""

from datetime import datetime

from django.db import connection

from config.db.partitions import ensure_partitions
from config.tenancy.scope import platform_scope
from tenants.models import CostRecord, UsageMetric

ACTOR = "system:upkeep"
BATCH = 20_000
OLDEST = """
SELECT min(occurred_at) FROM (
  SELECT occurred_at FROM tenants_meterevent WHERE NOT is_rolled_up ORDER BY id LIMIT %s) AS due
"""
# UUIDv7 of the start of the period; the remaining bits are a digest of what identifies the row.
_ID = """(lpad(to_hex((extract(epoch FROM {start}) * 1000)::bigint), 12, '0') || '7' || left({digest}, 3) || '8'
  || substr({digest}, 4, 15))::uuid"""
_BY = "tenant_id, metric_type, engagement_id, agent_id, user_id, key_id, model, service"
ROLL_UP = f"""
WITH due AS (
  UPDATE tenants_meterevent SET is_rolled_up = true
  WHERE NOT is_rolled_up AND id IN (
    SELECT id FROM tenants_meterevent WHERE NOT is_rolled_up ORDER BY id LIMIT %(most)s)
  RETURNING occurred_at, quantity, events, completion_tokens, cost, {_BY}
), sums AS (
  SELECT {_BY}, i.interval, date_trunc(i.interval, occurred_at, 'UTC') AS start, sum(quantity) AS quantity,
    sum(events) AS events, sum(completion_tokens) AS completion_tokens, sum(cost) AS cost,
    md5(jsonb_build_array({_BY}, i.interval)::text) AS digest
  FROM due CROSS JOIN (VALUES ('hour'), ('day'), ('month')) AS i (interval) GROUP BY {_BY}, i.interval, start
), metrics AS (
  INSERT INTO tenants_usagemetric AS m (id, {_BY}, interval, period_start, period_end, metric_value, events,
    completion_tokens, cost, metadata)
  SELECT {_ID.format(start="start", digest="digest")}, {_BY}, interval, start, start + ('1 ' || interval)::interval,
    quantity, events, completion_tokens, cost, '{{}}' FROM sums
  ON CONFLICT (id) DO UPDATE SET metric_value = m.metric_value + excluded.metric_value,
    events = m.events + excluded.events, completion_tokens = m.completion_tokens + excluded.completion_tokens,
    cost = m.cost + excluded.cost
), days AS (
  SELECT tenant_id, user_id, service, start, sum(cost) AS cost, sum(events) AS calls, sum(quantity) AS tokens,
    md5(jsonb_build_array(tenant_id, user_id, service)::text) AS digest
  FROM sums WHERE interval = 'day' AND metric_type = 'tokens' GROUP BY tenant_id, user_id, service, start
), costs AS (
  INSERT INTO tenants_costrecord AS c (id, tenant_id, user_id, service, amount, currency, date, usage_data)
  SELECT {_ID.format(start="start", digest="digest")}, tenant_id, user_id, service, cost, 'USD',
    (start AT TIME ZONE 'UTC')::date, jsonb_build_object('calls', calls, 'tokens', tokens) FROM days
  ON CONFLICT (id) DO UPDATE SET amount = c.amount + excluded.amount, usage_data = jsonb_build_object(
    'calls', (c.usage_data ->> 'calls')::bigint + (excluded.usage_data ->> 'calls')::bigint,
    'tokens', (c.usage_data ->> 'tokens')::bigint + (excluded.usage_data ->> 'tokens')::bigint)
)
SELECT count(*) FROM due
"""


def roll_up_usage(*, batch: int = BATCH) -> int:
    """Add the open events of all tenants to the metrics, in batches, and return their number."""
    total = 0
    while True:
        with platform_scope(reason="roll up usage", actor=ACTOR):
            count = _roll_up_batch(batch)
        total += count
        if count < batch:
            return total


def _roll_up_batch(batch: int) -> int:
    with connection.cursor() as cursor:
        # Two runs at once would lock the same metrics in different orders.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('conclave.usage', 0))")
        cursor.execute(OLDEST, [batch])
        oldest: datetime | None = cursor.fetchone()[0]
        if oldest is None:
            return 0
        ensure_partitions(since=oldest, models_=[UsageMetric, CostRecord])
        cursor.execute(ROLL_UP, {"most": batch})
        return int(cursor.fetchone()[0])
