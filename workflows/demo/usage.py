"""Daily usage metrics and costs of the demo conversations."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from config.db.bulk import insert_many
from tenants.models import CostRecord, UsageMetric

from .world import Progress, World, day_start, micro


def make_usage(world: World, on_rows: Progress) -> int:
    """Create metrics and costs from the calls of the conversations, which must exist."""
    metrics = ("id", "metric_type", "metric_value", "period_start", "period_end")
    costs = ("id", "service", "amount", "usage_data", "date")
    return insert_many(
        UsageMetric, metrics, _metrics(world), constants=world.constants, on_batch=on_rows
    ) + insert_many(CostRecord, costs, _costs(world), constants=world.constants, on_batch=on_rows)


def _metrics(world: World) -> Iterator[tuple[Any, ...]]:
    for number, day in enumerate(world.days):
        start = day_start(number)
        counted = {
            "agent_executions": day.calls.total(),
            "tokens": day.tokens.total(),
            "api_calls": day.calls.total() * 3,
        }
        for kind, value in counted.items():
            yield world.id_on(number), kind, value, start, start + timedelta(days=1)


def _costs(world: World) -> Iterator[tuple[Any, ...]]:
    for number, day in enumerate(world.days):
        for provider in sorted(day.cost):
            if day.cost[provider]:
                used = {"calls": day.calls[provider], "tokens": day.tokens[provider]}
                yield world.id_on(number), provider, micro(day.cost[provider]), used, day_start(number).date()
