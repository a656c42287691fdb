"""Commits of maps. Call these functions in the scope of the tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from django.db.models import F
from django.db.models.functions import Now

from config.db.prepared import run_prepared
from workflows.choices import StepStatus
from workflows.models import StepExecution
from workflows.services.commits import Attempt, encode

BEGIN_SQL = "SELECT workflows_begin_map(%(tenant)s, %(map)s, %(items)s::jsonb, %(helpers)s)::text"
WORK_SQL = (
    "SELECT valid, first, elements, places FROM workflows_work_range(%(tenant)s, %(map)s, %(helper)s, %(claim)s,"
    " %(size)s, %(tolerated)s, %(finished)s::integer, %(results)s::jsonb)"
)


@dataclass(frozen=True, slots=True)
class ItemRange:
    """Items that a helper runs next.

    Attributes:
        valid: False if the helper belongs to another worker.
        first: number of the range; None if no items are left.
        items: positions and values.
    """

    valid: bool
    first: int | None
    items: list[tuple[int, Any]]


def begin_map(tenant_id: UUID, step_execution_id: UUID, items: Sequence[Any], helpers: int) -> None:
    """Store the items of a waiting map and start its helpers.

    Items that an earlier attempt completed do not run again if the list of items is the same.
    """
    values = {"tenant": tenant_id, "map": step_execution_id, "items": encode(items), "helpers": helpers}
    run_prepared(BEGIN_SQL, values)


def work_range(
    helper: Attempt,
    map_id: UUID,
    *,
    size: int,
    tolerated: int,
    finished: int | None = None,
    results: Sequence[dict[str, Any]] = (),
) -> ItemRange:
    """Commit the results of the range with the number `finished`, and take the next one.

    Args:
        tolerated: number of failed items after which the helper takes no more.
    """
    values = {
        "tenant": helper.tenant_id,
        "map": map_id,
        "helper": helper.id,
        "claim": helper.claim,
        "size": size,
        "tolerated": tolerated,
        "finished": finished,
        "results": encode(list(results)),
    }
    ((valid, first, elements, places),) = run_prepared(WORK_SQL, values)
    items = orjson.loads(elements) if elements else []
    positions = places or range(first or 0, (first or 0) + len(items))
    return ItemRange(valid, first, list(zip(positions, items, strict=True)))


def cancel_helpers(attempt: Attempt) -> None:
    """Cancel the helpers of an attempt of a map that failed."""
    helpers = StepExecution.objects.filter(
        execution_id=attempt.execution_id, step_id=attempt.step_id, item__gte=0, attempt=attempt.attempt
    )
    open_ones = helpers.filter(
        status__in=[StepStatus.PENDING, StepStatus.READY, StepStatus.RUNNING, StepStatus.WAITING]
    )
    open_ones.update(status=StepStatus.CANCELLED, claim=F("claim") + 1, lane_job=None, completed_at=Now())


def yield_helper(helper: Attempt) -> None:
    """Let the helper continue later with its range, so that other steps have their turn."""
    rows = StepExecution.objects.filter(pk=helper.id, claim=helper.claim, status=StepStatus.RUNNING)
    rows.update(status=StepStatus.READY, lane_job=None, takeovers=0)
