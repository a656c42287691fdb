"""Sums of usage from the metrics and the open events, in one statement.

One snapshot sees an event either open or in the metrics, so the sums equal those of all events at any time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from config.db.ids import uuid7_floor
from config.tenancy.scope import require_tenant_id
from tenants.choices import MetricType, UsageInterval

# Columns by the name in the API.
GROUPS = {
    "engagement": "engagement_id",
    "agent": "agent_id",
    "user": "user_id",
    "key": "key_id",
    "model": "model",
    "service": "service",
}
COUNTS = tuple(str(metric) for metric in MetricType.values)
AMOUNTS = (*COUNTS, "completion_tokens", "model_calls", "cost")
INTERVALS = tuple(reversed(UsageInterval.values))
# Interval, start and end.
Span = tuple[str, datetime, datetime]
_COLUMNS = f"metric_type, {', '.join(GROUPS.values())}, completion_tokens, cost, events"
_METRICS = f"SELECT period_start AS moment, metric_value AS quantity, {_COLUMNS} FROM tenants_usagemetric"
_EVENTS = f"SELECT occurred_at AS moment, quantity, {_COLUMNS} FROM tenants_meterevent"
_SUMS = ", ".join(
    [
        *(f"coalesce(sum(quantity) FILTER (WHERE metric_type = '{metric}'), 0)::bigint" for metric in COUNTS),
        "sum(completion_tokens)::bigint",
        "coalesce(sum(events) FILTER (WHERE metric_type = 'tokens'), 0)::bigint",
        "coalesce(sum(cost), 0)::numeric(30, 6)::text",
    ]
)


@dataclass(frozen=True, slots=True)
class UsageRequest:
    """The usage to sum: full hours from `start` to `end`, in UTC.

    Args:
        interval: `hour`, `day` or `month`; empty: one sum of the whole time.
        groups: names in `GROUPS`.
        filters: values by name in `GROUPS`.
        counts_users: whether to count the users with any usage, which takes several times as long.
        after: the key of the last row before the page, if any: its period and groups.
    """

    start: datetime
    end: datetime
    interval: str = ""
    groups: Sequence[str] = ()
    filters: Mapping[str, Any] = field(default_factory=dict)
    limit: int = 100
    counts_users: bool = False
    after: Sequence[Any] | None = None


def sum_usage(request: UsageRequest) -> list[dict[str, Any]]:
    """Return the sums, ordered by period and groups, with one row more than the limit if there are more."""
    moment = (
        f"date_trunc('{request.interval}', moment, 'UTC')" if request.interval else "%(start)s::timestamptz"
    )
    columns = [GROUPS[name] for name in request.groups]
    inner = ", ".join(["period", "metric_type", *columns])
    users = ", count(DISTINCT user_id) AS users"
    if request.counts_users:
        inner = ", ".join(dict.fromkeys([*inner.split(", "), "user_id"]))
    names = [f"g{place}" for place in range(len(columns))]
    groups = "".join(
        f", coalesce({column}::text, '') AS {name}" for column, name in zip(columns, names, strict=True)
    )
    key = ", ".join(["period", *names])
    beyond = ", ".join(f"%(after{place})s" for place in range(len(names) + 1))
    statement = f"""
SELECT * FROM (
  SELECT period{groups}, {_SUMS}{users if request.counts_users else ""} FROM (
    SELECT {moment} AS {inner}, sum(quantity) AS quantity, sum(events) AS events,
      sum(completion_tokens) AS completion_tokens, sum(cost) FILTER (WHERE cost <> 0) AS cost
    FROM ({_source_sql(request)}) AS source GROUP BY {inner}
  ) AS sums GROUP BY {key}
) AS page {f"WHERE ({key}) > ({beyond})" if request.after else ""} ORDER BY {key} LIMIT %(limit)s"""
    with connection.cursor() as cursor:
        cursor.execute(statement, _parameters(request))
        rows = cursor.fetchall()
    return [_as_dict(request, row) for row in rows]


def _source_sql(request: UsageRequest) -> str:
    """Return SQL of the rows to sum: metrics of the longest possible periods, and open events."""
    own = "tenant_id = %(tenant)s" + "".join(f" AND {GROUPS[name]} = %({name})s" for name in request.filters)
    parts = [
        f"{_METRICS} WHERE {own} AND interval = '{interval}' AND id >= %(low{place})s AND id < %(high{place})s"
        for place, (interval, _, _) in enumerate(_split(request))
    ]
    parts.append(
        f"{_EVENTS} WHERE {own} AND NOT is_rolled_up AND occurred_at >= %(start)s AND occurred_at < %(end)s"
    )
    return " UNION ALL ".join(parts)


def _parameters(request: UsageRequest) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "tenant": require_tenant_id(),
        "start": request.start,
        "end": request.end,
        "limit": request.limit + 1,
        **request.filters,
        **{f"after{place}": value for place, value in enumerate(request.after or ())},
    }
    for place, (_, low, high) in enumerate(_split(request)):
        parameters |= {f"low{place}": uuid7_floor(low), f"high{place}": uuid7_floor(high)}
    return parameters


def _split(request: UsageRequest) -> list[Span]:
    """Return the intervals whose metrics add up to the request, each with its start and end."""
    intervals = INTERVALS[INTERVALS.index(request.interval or "month") :]
    return _split_span(request.start.astimezone(UTC), request.end.astimezone(UTC), intervals)


def _split_span(start: datetime, end: datetime, intervals: Sequence[str]) -> list[Span]:
    if start >= end:
        return []
    interval, *shorter = intervals
    if interval == "hour":
        return [(interval, start, end)]
    first, last = _truncate(start, interval), _truncate(end, interval)
    if first < start:
        first = _truncate(first + timedelta(days=32 if interval == "month" else 1), interval)
    if first >= last:
        return _split_span(start, end, shorter)
    rest = [*_split_span(start, first, shorter), *_split_span(last, end, shorter)]
    return [(interval, first, last), *rest]


def _truncate(moment: datetime, interval: str) -> datetime:
    return moment.replace(hour=0, day=1) if interval == "month" else moment.replace(hour=0)


def _as_dict(request: UsageRequest, row: Sequence[Any]) -> dict[str, Any]:
    count = 1 + len(request.groups)
    groups = dict(zip(request.groups, row[1:count], strict=True))
    amounts = (*AMOUNTS, "active_users") if request.counts_users else AMOUNTS
    return {"period_start": row[0], **groups, **dict(zip(amounts, row[count:], strict=True))}
