"""Events as expressions see them."""

from typing import Any

from tenants.models import OutboxEvent
from workflows.language.expressions import evaluate_condition


def as_event(event: OutboxEvent) -> dict[str, Any]:
    """Return the root `event` of expressions."""
    return {
        "id": str(event.pk),
        "type": event.type,
        "data": event.data,
        "created_at": event.created_at.isoformat(),
    }


def matches_event(correlate: str | None, data: Any, event: dict[str, Any]) -> bool:
    """Return whether the condition is true for the event."""
    return not correlate or evaluate_condition(correlate, {**data, "event": event})
