"""Jobs of conversations: answers go on when their process died, sessions get summaries, waiting calls expire,
messages become findable."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils import timezone
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from config.jobs import job
from conversations.choices import MessageStatus, ToolStatus
from tenants.scoping import platform_scope, tenant_scope

# Longer than any agent may take (its `timeout`), so that only dead turns are swept.
INTERRUPTED_AFTER = timedelta(minutes=30)
# A sweep takes up this many; the next one comes within a minute.
MOST_AT_ONCE = 1000
# Sessions that rest longer than this were summarized, or hold nothing to summarize.
IDLE_WITHIN = timedelta(days=7)


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
    """Answers that no process can go on with, as those of clients that keep the history themselves; dead calls."""
    from conversations.models import AnswerLease, McpToolExecution, Message, ToolExecution

    limit = timezone.now() - INTERRUPTED_AFTER
    dead = Message.unscoped.between(limit - timedelta(days=7), limit).filter(status=MessageStatus.PENDING)
    dead.exclude(pk__in=AnswerLease.unscoped.order_by().values("message_id")).update(
        status=MessageStatus.FAILED,
        error_code="interrupted",
        error_message="The process that answered was stopped.",
    )
    for calls in (ToolExecution, McpToolExecution):
        calls.unscoped.between(limit - timedelta(days=7), limit).filter(status=ToolStatus.RUNNING).update(
            status=ToolStatus.FAILED, error_message="The process that ran it was stopped."
        )


@app.task(name="conversations.tasks.resume_work")
@job
def resume_work(tenant_id: str, message_id: str) -> None:
    """Go on with one answer or meeting, if nobody else does."""
    from conversations.runtime import meetings

    meetings.resume_work(UUID(tenant_id), UUID(message_id))


@app.task(
    name="conversations.tasks.summarize_session",
    retry=RetryStrategy(
        max_attempts=5, exponential_wait=5, retry_exceptions={OperationalError, InterfaceError}
    ),
)
@job
def summarize_session(tenant_id: str, conversation_id: str) -> None:
    """Make the summary and title of a conversation that ended, or rests."""
    from conversations.runtime.summaries import summarize

    summarize(UUID(tenant_id), UUID(conversation_id))


@app.periodic(cron="*/5 * * * *")
@app.task(queueing_lock="summarize_idle_sessions")
@job
def summarize_idle_sessions(timestamp: int) -> None:
    """Let workers summarize the conversations that nobody went on with."""
    from conversations.services.sessions import idle_conversations, summarize_later

    if not settings.SESSION_IDLE_MINUTES:
        return
    idle = timedelta(minutes=settings.SESSION_IDLE_MINUTES)
    with platform_scope(reason="summarize idle sessions", actor="system:upkeep"):
        due = idle_conversations(idle, within=idle + IDLE_WITHIN, most=MOST_AT_ONCE)
    for tenant_id, conversation_id in due:
        with tenant_scope(tenant_id, actor="system:upkeep"):
            summarize_later(conversation_id)


@app.periodic(cron="17 * * * *")
@app.task(queueing_lock="expire_approvals")
@job
def expire_approvals(timestamp: int) -> None:
    """Refuse calls of tools that waited for a person for too long; their answers go on without them."""
    from conversations.runtime.expiry import expire_waiting_calls

    expire_waiting_calls(timedelta(days=settings.APPROVAL_DAYS))


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="embed_new_messages")
@job
def embed_new_messages(timestamp: int) -> None:
    """Make the messages of the last day findable."""
    from conversations.services.finding import embed_messages

    embed_messages(back=timedelta(days=1))


@app.periodic(cron="58 4 * * *")
@app.task(queueing_lock="delete_stray_attachments")
@job
def delete_stray_attachments(timestamp: int) -> None:
    """Delete files of conversations that are gone."""
    from conversations.models import Attachment
    from conversations.services.attachments import FOLDER
    from knowledge.services.upkeep import delete_stray_files

    delete_stray_files(folder=FOLDER, naming=Attachment)


@app.periodic(cron="41 3 * * *")
@app.task(queueing_lock="embed_left_messages")
@job
def embed_left_messages(timestamp: int) -> None:
    """The same for those that were finished late, or while no worker ran."""
    from conversations.services.finding import embed_messages

    embed_messages(back=timedelta(days=31))
