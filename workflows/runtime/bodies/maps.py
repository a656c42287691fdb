"""Body of a map: starts helpers, which run its steps for each item, and waits for them."""

import math
from typing import Any

from workflows.choices import MapItemStatus, StepKind
from workflows.models import MapItem, MapState
from workflows.runtime.step_bodies import StepContext, StepError, StepResult, Wait, register_body
from workflows.services.maps import begin_map

MAX_ITEMS = 100_000


@register_body(StepKind.MAP)
def run_map(context: StepContext) -> StepResult | Wait:
    """Start the helpers of a map; after they have finished, return the number of items and failures."""
    if context.waited:
        return _summarize(context)
    items = context.config["items"]
    if not isinstance(items, list):
        raise StepError("invalid_items", "items: enter a list.", retryable=False)
    if len(items) > MAX_ITEMS:
        raise StepError("too_many_items", f"A map has at most {MAX_ITEMS} items.", retryable=False)
    if not items:
        return StepResult({"total": 0, "succeeded": 0, "failed": 0, "result": None})
    size = get_range_size(context.config)
    helpers = min(context.config["max_concurrency"], math.ceil(len(items) / size))
    return Wait(
        correlation="map",
        begin=lambda: begin_map(context.tenant_id, context.step_execution_id, items, helpers),
    )


def get_range_size(config: Any) -> int:
    """Return the number of items that a helper commits together."""
    return 1 if config["workflow"] else int(config["item_batch"])


def get_tolerated(config: Any, total: int) -> int:
    """Return the number of items that may fail."""
    share = math.floor(total * config["tolerated_failure_percentage"] / 100)
    return max(int(config["tolerated_failure_count"]), share)


def _summarize(context: StepContext) -> StepResult:
    with context.scope():
        state = MapState.objects.defer("items").get(step_id=context.step_execution_id)
        failed = MapItem.objects.filter(step_id=context.step_execution_id, status=MapItemStatus.FAILED)
        first = failed.order_by("position").first()
    if first is not None and state.failed > get_tolerated(context.config, state.total):
        text = f"{state.failed} of {state.total} items failed. Item {first.position}: {first.error_message}"
        raise StepError("items_failed", text)
    return StepResult(
        {
            "total": state.total,
            "succeeded": state.done - state.failed,
            "failed": state.failed,
            "result": {"map": str(context.step_execution_id)},
        }
    )
