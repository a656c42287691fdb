"""Runs that start one another: by workflow steps, by their agents and by their events.

Call these functions in the scope of the tenant.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError

from conversations.models import Conversation
from workflows.models import WorkflowExecution
from workflows.services.waiting_steps import StepLink

MAX_DEPTH = 10
# Key of the trigger data: the run whose agent started this run.
STARTED_BY = "started_by_run"


def check_depth(run_id: UUID | None) -> None:
    """Check that this run may start another one, which has at most `MAX_DEPTH` runs above it.

    Raises:
        ValidationError: the runs are nested too deeply.
    """
    for _ in range(MAX_DEPTH):
        if run_id is None:
            return
        run_id = find_starter(run_id)
    if run_id is not None:
        raise ValidationError(f"Runs that start each other can be nested at most {MAX_DEPTH} levels deep.")


def find_starter(run_id: UUID) -> UUID | None:
    """Return the run that started a run, or None."""
    rows = WorkflowExecution.objects.filter(pk=run_id)
    parent, data = rows.values_list("parent_step__execution_id", "trigger_data").first() or (None, None)
    if parent is not None or not isinstance(data, dict):
        return parent
    return _to_id(data, STARTED_BY) or find_run_of_event(data.get("event"))


def find_run_of_event(event: Any) -> UUID | None:
    """Return the run that published an event, or whose agent gave the answer that it reports, or None.

    Args:
        event: the object with the members `id`, `type`, `data` and `time`, as it starts runs.
    """
    data = event.get("data") if isinstance(event, dict) else None
    if not isinstance(data, dict):
        return None
    if run_id := _to_id(data, "run_id"):
        return run_id
    conversation_id = _to_id(data, "conversation_id")
    if conversation_id is None:
        return None
    found = Conversation.objects.filter(pk=conversation_id).values_list("metadata", flat=True).first()
    link = StepLink.from_metadata(found, conversation_id)
    return link.execution_id if link else None


def _to_id(data: Mapping[str, Any], name: str) -> UUID | None:
    try:
        return UUID(data[name])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
