"""Tokens and cost of a run and of the attempts of its steps."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from django.contrib.postgres.aggregates import BoolAnd
from django.db.models import Sum

from agents.models import LlmUsage
from config.db.ids import uuid7_floor
from workflows.choices import StepKind
from workflows.services.waiting_steps import StepLink

# Calls under way at the end of a run are recorded after it.
GRACE = timedelta(hours=1)


@dataclass(slots=True)
class Usage:
    """Tokens and cost in US dollars. `is_complete`: the prices of all models are known."""

    tokens: int = 0
    cost: Decimal = Decimal()
    is_complete: bool = True

    def add(self, other):
        """Add other usage."""
        self.tokens += other.tokens
        self.cost += other.cost
        self.is_complete &= other.is_complete


@dataclass(slots=True)
class RunUsage:
    """Usage of a run, and of its attempts by ID."""

    total: Usage = field(default_factory=Usage)
    attempts: dict[UUID, Usage] = field(default_factory=lambda: defaultdict(Usage))


def sum_usage(run, steps):
    """Return the usage of a run, by attempt of a step.

    The conversation of an attempt has an ID that follows from the attempt. Those of a map's items follow from a
    helper of the map, and have its time in their ID; their usage counts for the map. One query.
    """
    rows = LlmUsage.objects.created_after_id(run.pk).filter(flow_id=run.pk)
    if run.completed_at:
        rows = rows.filter(id__lt=uuid7_floor(run.completed_at + GRACE))
    groups = rows.order_by().values_list("conversation_id")
    sums = groups.annotate(Sum("total_tokens"), Sum("total_cost"), known=BoolAnd("cost_known"))
    attempts, maps = _list_conversations(steps)
    found = RunUsage()
    for conversation_id, *values in sums:
        usage = Usage(*values)
        found.total.add(usage)
        owner = attempts.get(conversation_id)
        if owner is None and conversation_id:
            candidates = maps[conversation_id.int >> 80]
            owner = next(iter(candidates)) if len(candidates) == 1 else None
        if owner:
            found.attempts[owner].add(usage)
    return found


def _list_conversations(steps):
    """Return the attempts by the ID of their conversation, and the maps by the time of their helpers."""
    attempts, maps = {}, defaultdict(set)
    latest = {}
    for step in steps:
        if step.kind == StepKind.MAP:
            # A helper follows its map, and belongs to the latest attempt of it.
            if step.item == -1:
                latest[step.step_id] = step.pk
            else:
                maps[step.pk.int >> 80].add(latest.get(step.step_id))
        else:
            link = StepLink(step.execution_id, step.pk, step.step_id, step.item, step.attempt)
            attempts[link.conversation_id] = step.pk
    return attempts, maps
