"""Leases: at most one process works on an answer, and another takes over when it is dead.

Every write of a turn names the lease's token, so a process that was thought dead and is not changes nothing.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from config.tenancy.scope import require_scope
from conversations.choices import LeaseKind, MessageStatus, ToolStatus
from conversations.models import AnswerLease, Message, ToolExecution

# How often a turn may be taken over without a step done in between.
MOST_ATTEMPTS = 3
INTERRUPTED = "The process that ran this was stopped; whether it took effect is not known."


class LeaseLost(RuntimeError):
    """Another process has taken over, or has finished."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that this process holds."""

    tenant_id: UUID
    message_id: UUID
    token: UUID
    takeovers: int = 0


def lease_time() -> timedelta:
    """How long a lease lasts without a renewal."""
    return timedelta(seconds=settings.ANSWER_LEASE_SECONDS)


def open_lease(message: Message, *, kind: str = LeaseKind.ANSWER, held: bool = True) -> Lease:
    """A lease of `message`, for whoever the scope acts for.

    Args:
        held: False when any process may take over at once.
    """
    scope = require_scope()
    row = AnswerLease(
        tenant_id=message.tenant_id,
        conversation_id=message.conversation_id,
        message_id=message.pk,
        kind=kind,
        token=uuid4(),
        lease_until=Now() + lease_time() if held else Now(),
        user_id=scope.user_id,
        actor=scope.actor,
    )
    row.save(force_insert=True)
    return Lease(row.tenant_id, row.message_id, row.token)


def lease_for(message: Message) -> Lease:
    """A lease of `message` for this process: a new one, or the one that nobody holds.

    Raises:
        LeaseLost: when another process holds it.
    """
    if not AnswerLease.objects.filter(message_id=message.pk).exists():
        return open_lease(message)
    row = take_over(message.pk)
    if row is None:
        raise LeaseLost(str(message.pk))
    return lease_of(row)


def lease_of(row: AnswerLease) -> Lease:
    """What the holder of `row` shows."""
    return Lease(row.tenant_id, row.message_id, row.token, row.takeovers)


@transaction.atomic
def take_over(message_id: UUID) -> AnswerLease | None:
    """The lease of `message_id` with a new token, when nobody holds it; None otherwise.

    Calls of tools that were under way are marked as interrupted.
    """
    changed = AnswerLease.objects.filter(message_id=message_id, lease_until__lte=Now()).update(
        token=uuid4(),
        lease_until=Now() + lease_time(),
        attempts=F("attempts") + 1,
        takeovers=F("takeovers") + 1,
    )
    if not changed:
        return None
    ToolExecution.objects.created_after_id(message_id).filter(
        message_id=message_id, status__in=[ToolStatus.PENDING, ToolStatus.RUNNING]
    ).update(status=ToolStatus.FAILED, error_message=INTERRUPTED, completed_at=Now())
    return AnswerLease.objects.get(message_id=message_id)


def advance(lease: Lease) -> None:
    """Renew the lease in the transaction of a step that is done, and count attempts anew.

    Raises:
        LeaseLost: when this process no longer holds it.
    """
    if not _held([lease]).update(lease_until=Now() + lease_time(), attempts=0):
        raise LeaseLost(str(lease.message_id))


def renew(leases: list[Lease]) -> None:
    """A sign of life for leases of the scope's tenant; those that are lost stay lost."""
    _held(leases).update(lease_until=Now() + lease_time())


def release(lease: Lease) -> None:
    """End the lease in the transaction that ends the work.

    Raises:
        LeaseLost: when this process no longer holds it.
    """
    if not _held([lease])._raw_delete(using="default"):
        raise LeaseLost(str(lease.message_id))


def let_go(lease: Lease) -> None:
    """Let any process take over at once."""
    _held([lease]).update(lease_until=Now())


def held_tokens(leases: list[Lease]) -> set[UUID]:
    """The tokens of those that are still held."""
    return set(_held(leases).values_list("token", flat=True))


def _held(leases: list[Lease]) -> Any:
    return AnswerLease.objects.order_by().filter(token__in=[lease.token for lease in leases])


def is_due(message_id: UUID) -> bool:
    """Whether the work on `message_id` waits for a process to take over."""
    return AnswerLease.objects.filter(message_id=message_id, lease_until__lt=Now()).exists()


def give_up(lease: Lease, *, code: str = "interrupted", reason: str) -> None:
    """Fail the answer of `lease`."""
    with transaction.atomic():
        release(lease)
        Message.objects.created_after_id(lease.message_id).filter(
            pk=lease.message_id, status=MessageStatus.PENDING
        ).update(status=MessageStatus.FAILED, error_code=code, error_message=reason)
