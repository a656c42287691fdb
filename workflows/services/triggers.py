"""Triggers of workflows: their next time and their secret."""

from collections.abc import Collection

from django.utils import timezone

from tenants.services.webhooks import generate_secret
from workflows import schemas
from workflows.choices import TriggerType
from workflows.language.schedules import Schedule
from workflows.models import WorkflowTrigger

SCHEDULE_COLUMNS = frozenset({"trigger_type", "config", "is_enabled"})


def prepare_trigger(trigger: WorkflowTrigger, changed: Collection[str]) -> list[str]:
    """Set the next time and the secret of a valid trigger, and return the names of the columns that it set.

    Args:
        changed: names of the columns that changed. A change of others does not move the next time.
    """
    names = []
    if not SCHEDULE_COLUMNS.isdisjoint(changed):
        trigger.next_fire_at = None
        if trigger.trigger_type == TriggerType.SCHEDULED and trigger.is_enabled:
            trigger.next_fire_at = get_schedule(trigger).next_after(timezone.now())
        names.append("next_fire_at")
    if trigger.trigger_type == TriggerType.WEBHOOK and not trigger.secret:
        trigger.secret = generate_secret()
        names.append("secret")
    return names


def get_schedule(trigger: WorkflowTrigger) -> Schedule:
    """Return the schedule of a scheduled trigger."""
    settings = schemas.ScheduleTrigger.model_validate(trigger.config)
    return Schedule(settings.cron, settings.timezone)
