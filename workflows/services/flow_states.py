"""State of the agent crew of a master flow, with the question that it waits for.

`MasterFlow.state` is {"method": the latest method, "values": the state of the crew, "pending_feedback": {"context": …,
"values": …}}. The last member exists while the crew waits for a person. Call these functions in the tenant's scope.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from workflows.models import MasterFlow


def save_flow_state(
    flow_id: UUID, method: str, values: Mapping[str, Any], *, pending: Mapping[str, Any] | None = None
) -> None:
    """Store the state after a method; `pending` describes the question if the crew waits for its answer.

    Raises:
        MasterFlow.DoesNotExist: the scope has no such flow.
    """
    flow = MasterFlow.objects.select_for_update(no_key=True).get(pk=flow_id)
    state = dict(flow.state or {}) | {"method": method, "values": dict(values)}
    if pending is not None:
        state["pending_feedback"] = {"context": dict(pending), "values": dict(values)}
    _store(flow, state)


def load_flow_state(flow_id: UUID) -> dict[str, Any] | None:
    """Return the latest state, or None if the crew has not stored one."""
    return _read(flow_id).get("values")


def load_pending_feedback(flow_id: UUID) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the state and the description of the question that the crew waits for; None if it does not wait."""
    pending = _read(flow_id).get("pending_feedback")
    return (pending["values"], pending["context"]) if pending else None


def clear_pending_feedback(flow_id: UUID) -> None:
    """Record that the question was answered."""
    flow = MasterFlow.objects.select_for_update(no_key=True).filter(pk=flow_id).first()
    if flow is not None and flow.state:
        _store(flow, {name: value for name, value in flow.state.items() if name != "pending_feedback"})


def _read(flow_id: UUID) -> dict[str, Any]:
    return MasterFlow.objects.values_list("state", flat=True).filter(pk=flow_id).first() or {}


def _store(flow: MasterFlow, state: dict[str, Any]) -> None:
    flow.state = state
    flow.save(update_fields=["state", "updated_at"])
