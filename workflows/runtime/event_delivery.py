"""Delivery of events to the steps that wait for them."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from tenants.models import OutboxEvent
from workflows.choices import StepStatus
from workflows.language.expressions import ExpressionError
from workflows.models import StepExecution
from workflows.runtime.event_matching import as_event, matches_event
from workflows.runtime.run_state import load_runs
from workflows.services.commits import Attempt
from workflows.services.runs import complete_waiting_step
from workflows.step_errors import StepError


def deliver_events(tenant_id: UUID, event_ids: Iterable[UUID], types: Iterable[str]) -> int:
    """End the waits for these events, and return the number of the steps. Call it in the scope of the tenant."""
    keys = {f"event:{name}" for name in types}
    waiting = list(
        StepExecution.objects.filter(status=StepStatus.WAITING, correlation__in=keys).values_list(
            "execution_id", "id", "step_id", "kind", "claim", "idempotency_key", "correlation"
        )
    )
    if not waiting:
        return 0
    attempts = [(Attempt(tenant_id, *row[:-1]), row[-1]) for row in waiting]
    runs = load_runs(tenant_id, [attempt for attempt, _ in attempts], claimed=False)
    events = [as_event(event) for event in OutboxEvent.objects.filter(pk__in=event_ids).order_by("xid", "id")]
    count = 0
    for attempt, key in attempts:
        run = runs.get(attempt.execution_id)
        if run is None:
            continue
        step: Any = run.plan.steps[attempt.step_id]
        try:
            data = run.as_data(attempt)
        except StepError as error:
            # Otherwise the events of the tenant would be relayed again and again.
            count += complete_waiting_step(attempt.id, error=error)
            continue
        for event in events:
            if key == f"event:{event['type']}" and _matches(step.correlate, data, event):
                count += complete_waiting_step(attempt.id, output=event)
                break
    return count


def _matches(correlate: str | None, data: Any, event: dict[str, Any]) -> bool:
    try:
        return matches_event(correlate, data, event)
    except ExpressionError:
        # Such as a member that other events of the type lack.
        return False


def receive_relayed_events(sender: Any, tenant_id: UUID, events: list[tuple[Any, ...]], **_: Any) -> None:
    """Deliver the events that the outbox relays, in its transaction."""
    deliver_events(tenant_id, [event[0] for event in events], {event[1] for event in events})
