"""Event triggers: runs started by the events of the outbox."""

import logging
from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import InterfaceError, OperationalError, transaction

from tenants.models import OutboxEvent
from workflows.choices import TriggerType, WorkflowStatus
from workflows.language.expressions import ExpressionError, evaluate_condition
from workflows.models import WorkflowTrigger
from workflows.services.firings import claim_firing, fail_firing, start_firing
from workflows.services.nesting import check_depth, find_run_of_event

logger = logging.getLogger(__name__)


def fire_event_triggers(sender: Any, tenant_id: UUID, events: Iterable[tuple[Any, ...]], **_: Any) -> int:
    """Start the runs of the events that the outbox relays, in its transaction, and return their number.

    Args:
        events: ID and type of each event, and more.
    """
    types = {event[0]: event[1] for event in events}
    triggers = defaultdict(list)
    active = WorkflowTrigger.objects.select_related("workflow").filter(
        trigger_type=TriggerType.EVENT,
        is_enabled=True,
        config__event__in=set(types.values()),
        workflow__status=WorkflowStatus.ACTIVE,
        workflow__deleted_at=None,
    )
    for trigger in active.order_by("id"):
        triggers[trigger.config["event"]].append(trigger)
    if not triggers:
        return 0
    wanted = [event_id for event_id, name in types.items() if name in triggers]
    found = OutboxEvent.objects.filter(pk__in=wanted).order_by("xid", "id")
    return sum(_fire(trigger, event) for event in found for trigger in triggers[event.type])


def _fire(trigger: WorkflowTrigger, event: OutboxEvent) -> bool:
    data = {
        "event": {
            "id": str(event.pk),
            "type": event.type,
            "data": event.data,
            "time": event.created_at.isoformat(),
        }
    }
    if not _matches(trigger.config.get("filter"), data):
        return False
    firing_id = claim_firing(trigger, str(event.pk))
    if firing_id is None:
        return False
    try:
        with transaction.atomic():
            # Runs that start one another by events, such as `run.completed`, end.
            check_depth(find_run_of_event(data["event"]))
            start_firing(trigger, firing_id, data)
    except ValidationError as error:
        fail_firing(firing_id, error)
        return False
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        # Otherwise the event would be relayed again and again, and with it all later events of the tenant.
        logger.exception("trigger %s did not fire for event %s", trigger.pk, event.pk)
        fail_firing(firing_id, ValidationError("The run did not start because of an internal error."))
        return False
    return True


def _matches(condition: Any, data: dict[str, Any]) -> bool:
    """Return whether an event has the listed values, or meets the CEL condition."""
    if not isinstance(condition, str):
        values = data["event"]["data"]
        return all(name in values and values[name] == value for name, value in (condition or {}).items())
    try:
        return evaluate_condition(condition, data)
    except ExpressionError:
        # Such as a member that other events of the type lack.
        return False
