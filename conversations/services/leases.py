"""Leases: at most one process works on an answer, and another takes over after it dies.

Every write of a turn checks the lease token, so a process that lost its lease cannot write.
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
from conversations.services.interruptions import record_interrupted_runs

# Maximum number of takeovers of a turn without a completed step.
MAX_ATTEMPTS = 3
INTERRUPTED = "The process that ran this tool call stopped. The call may or may not have taken effect."


class LeaseLostError(RuntimeError):
    """Another process has taken over or finished the work."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that this process holds."""

    tenant_id: UUID
    message_id: UUID
    token: UUID
    takeovers: int = 0


def lease_time() -> timedelta:
    """Return the duration of a lease without renewal."""
    return timedelta(seconds=settings.ANSWER_LEASE_SECONDS)


def open_lease(message: Message, *, kind: str = LeaseKind.ANSWER, held: bool = True) -> Lease:
    """Create a lease of `message` for the actor of the scope.

    Args:
        held: False lets any process take over immediately.
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


def acquire_lease(message: Message) -> Lease:
    """Return a lease of `message` for this process, new or taken over.

    Raises:
        LeaseLostError: another process holds the lease.
    """
    if not AnswerLease.objects.filter(message_id=message.pk).exists():
        return open_lease(message)
    row = take_over(message.pk)
    if row is None:
        raise LeaseLostError(str(message.pk))
    return get_lease(row)


def get_lease(row: AnswerLease) -> Lease:
    """Return the lease of `row` for its holder."""
    return Lease(row.tenant_id, row.message_id, row.token, row.takeovers)


@transaction.atomic
def take_over(message_id: UUID) -> AnswerLease | None:
    """Take over the lease of `message_id` with a new token; return None if it is held.

    Running tool calls are marked as interrupted.
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
    """Renew the lease in the transaction of a completed step, and reset the attempts.

    Raises:
        LeaseLostError: this process no longer holds the lease.
    """
    if not _leased_rows([lease]).update(lease_until=Now() + lease_time(), attempts=0):
        raise LeaseLostError(str(lease.message_id))


def renew(leases: list[Lease]) -> None:
    """Renew leases of the scope's tenant; lost leases stay lost."""
    _leased_rows(leases).update(lease_until=Now() + lease_time())


def release(lease: Lease) -> None:
    """End the lease in the transaction that ends the work.

    Raises:
        LeaseLostError: this process no longer holds the lease.
    """
    if not _leased_rows([lease])._raw_delete(using="default"):
        raise LeaseLostError(str(lease.message_id))


def held_tokens(leases: list[Lease]) -> set[UUID]:
    """Return the tokens of the leases that are still held."""
    return set(_leased_rows(leases).values_list("token", flat=True))


def _leased_rows(leases: list[Lease]) -> Any:
    return AnswerLease.objects.order_by().filter(token__in=[lease.token for lease in leases])


def is_due(message_id: UUID) -> bool:
    """Return whether the work on `message_id` waits for a takeover."""
    return AnswerLease.objects.filter(message_id=message_id, lease_until__lt=Now()).exists()


def fail_answer(lease: Lease, *, code: str = "interrupted", reason: str) -> None:
    """Fail the answer of `lease`."""
    with transaction.atomic():
        release(lease)
        Message.objects.created_after_id(lease.message_id).filter(
            pk=lease.message_id, status=MessageStatus.PENDING
        ).update(status=MessageStatus.FAILED, error_code=code, error_message=reason)
        record_interrupted_runs([lease.message_id])
