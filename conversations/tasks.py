"""Answers and meetings go on when the process that made them died."""

from datetime import timedelta
from uuid import UUID

from django.utils import timezone
from procrastinate.contrib.django import app

from config.jobs import job
from conversations.choices import MessageStatus
from tenants.scoping import platform_scope, tenant_scope

# Longer than any agent may take (its `timeout`), so that only dead turns are swept.
INTERRUPTED_AFTER = timedelta(minutes=30)
# A sweep takes up this many; the next one comes within a minute.
MOST_AT_ONCE = 1000


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="resume_due_work")
@job
def resume_due_work(timestamp: int) -> None:
    """Find the answers and meetings whose lease ran out, and let workers go on with them."""
    from django.db.models.functions import Now

    from conversations.models import AnswerLease
    from conversations.runtime.resuming import resume_later

    with platform_scope(reason="resume interrupted answers", actor="system:upkeep"):
        due = AnswerLease.unscoped.filter(lease_until__lt=Now()).order_by("lease_until")
        rows = list(due.values_list("tenant_id", "message_id")[:MOST_AT_ONCE])
        _fail_without_lease()
    for tenant_id, message_id in rows:
        with tenant_scope(tenant_id, actor="system:upkeep"):
            resume_later(tenant_id, message_id)


def _fail_without_lease() -> None:
    """Answers that no process can go on with, as those of clients that keep the history themselves."""
    from conversations.models import AnswerLease, Message

    limit = timezone.now() - INTERRUPTED_AFTER
    dead = Message.unscoped.between(limit - timedelta(days=7), limit).filter(status=MessageStatus.PENDING)
    dead.exclude(pk__in=AnswerLease.unscoped.order_by().values("message_id")).update(
        status=MessageStatus.FAILED,
        error_code="interrupted",
        error_message="The process that answered was stopped.",
    )


@app.task(name="conversations.tasks.resume_work")
@job
def resume_work(tenant_id: str, message_id: str) -> None:
    """Go on with one answer or meeting, if nobody else does."""
    from conversations.runtime import meetings

    meetings.resume_work(UUID(tenant_id), UUID(message_id))
