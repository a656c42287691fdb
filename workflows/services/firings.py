"""Firings of triggers: each occasion starts one run."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils import timezone

from config.db.ids import uuid7_floor
from config.db.prepared import run_prepared
from config.tenancy.scope import platform_scope
from workflows.choices import FiringStatus
from workflows.language.expressions import ExpressionError, resolve
from workflows.models import TriggerFiring, WorkflowTrigger
from workflows.services.backend import backend

# How long firings are kept: webhooks and events that are repeated later start another run.
KEPT_FOR = timedelta(days=30)
CLAIM_SQL = """
INSERT INTO workflows_triggerfiring (tenant_id, trigger_id, key, status, scheduled_for, missed, error)
VALUES (%s, %s, %s, %s, %s, %s, '') ON CONFLICT (tenant_id, trigger_id, key) DO NOTHING RETURNING id
"""


def claim_firing(
    trigger: WorkflowTrigger,
    key: str,
    *,
    status: FiringStatus = FiringStatus.STARTED,
    scheduled_for: datetime | None = None,
    missed: int = 0,
) -> UUID | None:
    """Store a firing in the current transaction and return its ID, or None if the trigger fired with this key before.

    Of two transactions with the same key, the second waits until the first ends.
    """
    values = [trigger.tenant_id, trigger.pk, key, status, scheduled_for, missed]
    rows = run_prepared(CLAIM_SQL, values)
    return rows[0][0] if rows else None


def start_firing(trigger: WorkflowTrigger, firing_id: UUID, data: Mapping[str, Any]) -> UUID:
    """Start the run of a claimed firing in the current transaction, and return its ID.

    Args:
        data: what the trigger passes to the run, the root `trigger` of expressions.

    Raises:
        ValidationError: the workflow cannot start, or its input is invalid.
    """
    try:
        input_data = resolve(trigger.config.get("input") or {}, {"trigger": data})
    except ExpressionError as error:
        raise ValidationError({"input": str(error)}) from error
    run = backend.start(
        trigger.workflow,
        input_data=input_data,
        trigger=trigger,
        trigger_type=trigger.trigger_type,
        trigger_data=dict(data),
    )
    firings = TriggerFiring.objects.filter(pk=firing_id)
    firings.update(status=FiringStatus.STARTED, execution_id=run.pk)
    WorkflowTrigger.objects.filter(pk=trigger.pk).update(last_fired_at=timezone.now())
    return run.pk


def fail_firing(firing_id: UUID, error: ValidationError) -> None:
    """Record why a firing started no run."""
    text = " ".join(error.messages)[:500]
    TriggerFiring.objects.filter(pk=firing_id).update(status=FiringStatus.FAILED, error=text)


def expire_firings() -> int:
    """Delete the firings of all tenants that are older than `KEPT_FOR`, and return their number.

    Call it outside any scope.
    """
    limit = uuid7_floor(timezone.now() - KEPT_FOR)
    with platform_scope(reason="delete expired firings of triggers", actor="system:upkeep"):
        old = TriggerFiring.unscoped.filter(id__lt=limit).exclude(status=FiringStatus.QUEUED)
        return int(old._raw_delete(using="default"))
