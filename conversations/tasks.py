"""Periodic upkeep of conversations."""

from datetime import timedelta

from django.utils import timezone
from procrastinate.contrib.django import app

from config.jobs import job
from conversations.choices import MessageStatus, ToolStatus
from tenants.scoping import platform_scope

# Longer than any agent may take (its `timeout`), so that only dead turns are swept.
INTERRUPTED_AFTER = timedelta(minutes=30)


@app.periodic(cron="*/5 * * * *")
@app.task(queueing_lock="fail_interrupted_turns")
@job
def fail_interrupted_turns(timestamp: int) -> None:
    """Mark the answers whose process died as failed, so that nobody waits for them."""
    from conversations.models import McpToolExecution, Message, ToolExecution

    limit = timezone.now() - INTERRUPTED_AFTER
    with platform_scope(reason="fail interrupted turns", actor="system:upkeep"):
        Message.unscoped.between(limit - timedelta(days=7), limit).filter(
            status=MessageStatus.PENDING
        ).update(
            status=MessageStatus.FAILED,
            error_code="interrupted",
            error_message="The process that answered was stopped.",
        )
        for calls in (ToolExecution, McpToolExecution):
            calls.unscoped.between(limit - timedelta(days=7), limit).filter(status=ToolStatus.RUNNING).update(
                status=ToolStatus.FAILED, error_message="The process that ran it was stopped."
            )
