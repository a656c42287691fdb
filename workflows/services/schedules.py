"""Firing of scheduled triggers.

`fire_due_triggers` runs each second in every worker. The lock on a trigger's row and the unique key of its firings make
each time start one run, also if several workers see it.
"""

import logging
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone

from config.tenancy.scope import tenant_scope
from workflows import schemas
from workflows.choices import ENDED_RUNS, FiringStatus, OverlapPolicy, TriggerType, WorkflowStatus
from workflows.language.schedules import DueFires, ScheduleError, find_due_fires
from workflows.models import TriggerFiring, WorkflowExecution, WorkflowTrigger
from workflows.services.backend import backend
from workflows.services.firings import claim_firing, fail_firing, start_firing
from workflows.services.triggers import get_schedule

logger = logging.getLogger(__name__)
ACTOR = "system:schedules"
# Triggers in one call. The rest are due in the next one.
BATCH_SIZE = 500
# Times that wait for an unfinished run. Further times are skipped.
MAX_QUEUED = 100
DUE_SQL = "SELECT tenant_id, trigger_id FROM conclave_due_triggers(%s)"


def find_due_triggers() -> list[tuple[UUID, UUID]]:
    """Return the tenants and IDs of due triggers, and of those whose queued times can start.

    Call it outside any scope, as the worker.
    """
    with connection.cursor() as cursor:
        cursor.execute(DUE_SQL, [BATCH_SIZE])
        return list(cursor.fetchall())


def fire_due_triggers() -> int:
    """Fire the due schedules of all active tenants, and return the number of runs that started.

    Call it outside any scope, as the worker. Each trigger is one transaction; the failure of one affects no other.
    """
    started = 0
    for tenant_id, trigger_id in find_due_triggers():
        try:
            started += fire_schedule(tenant_id, trigger_id)
        except Exception:
            logger.exception("trigger %s did not fire; the next tick retries", trigger_id)
    return started


def fire_schedule(tenant_id: UUID, trigger_id: UUID, *, now: datetime | None = None) -> int:
    """Start the runs of a trigger that is due or has queued times, and return their number.

    A trigger of a workflow that is not active starts none, and its missed times do not count.
    """
    now = now or timezone.now()
    with tenant_scope(tenant_id, actor=ACTOR):
        triggers = WorkflowTrigger.objects.select_related("workflow").select_for_update(
            skip_locked=True, of=("self",), no_key=True
        )
        trigger = triggers.filter(pk=trigger_id, trigger_type=TriggerType.SCHEDULED, is_enabled=True).first()
        if trigger is None:
            return 0
        return _start_queued(trigger) + _fire_due(trigger, now)


def _fire_due(trigger: WorkflowTrigger, now: datetime) -> int:
    first = trigger.next_fire_at
    if first is None or first > now:
        return 0
    settings = schemas.ScheduleTrigger.model_validate(trigger.config)
    started, following = 0, None
    try:
        fires = find_due_fires(get_schedule(trigger), settings.misfire, first=first, now=now)
        following = fires.next_fire_at
    except ScheduleError as error:
        fires = DueFires([], 0, now)
        _record_failure(trigger, first, str(error))
    if _is_active(trigger):
        started = sum(_fire_at(trigger, settings.overlap, time, missed) for time, missed in _count(fires))
    WorkflowTrigger.objects.filter(pk=trigger.pk).update(next_fire_at=following)
    return started


def _is_active(trigger: WorkflowTrigger) -> bool:
    return trigger.workflow.status == WorkflowStatus.ACTIVE and trigger.workflow.deleted_at is None


def _count(fires: DueFires) -> Iterator[tuple[datetime, int]]:
    """Yield the times, the first one with the number of missed times."""
    for place, time in enumerate(fires.times):
        yield time, 0 if place else fires.missed


def _record_failure(trigger: WorkflowTrigger, time: datetime, text: str) -> None:
    if firing_id := claim_firing(trigger, time.isoformat(), scheduled_for=time):
        fail_firing(firing_id, ValidationError(text))


def _fire_at(trigger: WorkflowTrigger, overlap: OverlapPolicy, time: datetime, missed: int) -> bool:
    """Start the run of one time, or queue or skip it, and return whether it started."""
    status = _choose_status(trigger, overlap)
    firing_id = claim_firing(trigger, time.isoformat(), status=status, scheduled_for=time, missed=missed)
    if firing_id is None or status != FiringStatus.STARTED:
        return False
    if overlap == OverlapPolicy.CANCEL_RUNNING:
        for run_id in _list_unfinished(trigger):
            backend.cancel(run_id)
    return _start(trigger, firing_id, time, missed)


def _choose_status(trigger: WorkflowTrigger, overlap: OverlapPolicy) -> FiringStatus:
    if overlap not in (OverlapPolicy.SKIP, OverlapPolicy.QUEUE):
        return FiringStatus.STARTED
    queued = TriggerFiring.objects.filter(trigger=trigger, status=FiringStatus.QUEUED)
    waiting = queued.count() if overlap == OverlapPolicy.QUEUE else 0
    if not waiting and not _list_unfinished(trigger):
        return FiringStatus.STARTED
    may_queue = overlap == OverlapPolicy.QUEUE and waiting < MAX_QUEUED
    return FiringStatus.QUEUED if may_queue else FiringStatus.SKIPPED


def _list_unfinished(trigger: WorkflowTrigger) -> list[UUID]:
    runs = WorkflowExecution.objects.filter(trigger=trigger).exclude(status__in=ENDED_RUNS)
    return list(runs.values_list("pk", flat=True))


def _start_queued(trigger: WorkflowTrigger) -> int:
    """Start the run of the oldest queued time if no run is unfinished."""
    queued = TriggerFiring.objects.filter(trigger=trigger, status=FiringStatus.QUEUED)
    firing = queued.order_by("scheduled_for").first()
    if firing is None or firing.scheduled_for is None or _list_unfinished(trigger) or not _is_active(trigger):
        return 0
    return int(_start(trigger, firing.pk, firing.scheduled_for, firing.missed))


def _start(trigger: WorkflowTrigger, firing_id: UUID, time: datetime, missed: int) -> bool:
    data = {"scheduled_for": time.isoformat(), "missed": missed}
    try:
        with transaction.atomic():
            start_firing(trigger, firing_id, data)
    except ValidationError as error:
        fail_firing(firing_id, error)
        return False
    return True
