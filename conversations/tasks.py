"""Background jobs: recovery, session summaries, approval expiry and message embeddings."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils import timezone
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from config.jobs import job
from config.tenancy.scope import platform_scope, tenant_scope
from conversations.choices import MessageStatus, ToolStatus

# Longer than any agent's `timeout`, so that only dead turns are failed.
INTERRUPTED_AFTER = timedelta(minutes=30)
# Maximum number of rows per run; the next run follows within a minute.
BATCH_SIZE = 1000
# Sessions idle for longer are already summarized or have nothing to summarize.
MAX_IDLE = timedelta(days=7)


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="resume_due_work")
@job
def resume_due_work(timestamp: int) -> None:
    """Defer the answers and meetings whose lease has expired to workers."""
    from django.db.models.functions import Now

    from conversations.models import AnswerLease
    from conversations.runtime.recovery import defer_resume

    with platform_scope(reason="resume interrupted answers", actor="system:upkeep"):
        due = AnswerLease.unscoped.filter(lease_until__lt=Now()).order_by("lease_until")
        rows = list(due.values_list("tenant_id", "message_id")[:BATCH_SIZE])
        _fail_interrupted()
    for tenant_id, message_id in rows:
        with tenant_scope(tenant_id, actor="system:upkeep"):
            defer_resume(tenant_id, message_id)


def _fail_interrupted() -> None:
    """Fail interrupted tool calls and answers that cannot be resumed."""
    from conversations.models import AnswerLease, McpToolExecution, Message, ToolExecution
    from conversations.services.interruptions import record_interrupted_runs

    limit = timezone.now() - INTERRUPTED_AFTER
    dead = Message.unscoped.between(limit - timedelta(days=7), limit).filter(status=MessageStatus.PENDING)
    dead = dead.exclude(pk__in=AnswerLease.unscoped.order_by().values("message_id"))
    answers = list(dead.values_list("pk", flat=True))
    dead.filter(pk__in=answers).update(
        status=MessageStatus.FAILED,
        error_code="interrupted",
        error_message="The process that generated the answer was stopped.",
    )
    for calls in (ToolExecution, McpToolExecution):
        calls.unscoped.between(limit - timedelta(days=7), limit).filter(status=ToolStatus.RUNNING).update(
            status=ToolStatus.FAILED, error_message="The process that ran the tool was stopped."
        )
    # Tasks of the runs copy the state of the tool calls.
    record_interrupted_runs(answers)


@app.task(name="conversations.tasks.resume_work")
@job
def resume_work(tenant_id: str, message_id: str) -> None:
    """Resume an answer or meeting unless another process runs it."""
    from conversations.meetings import runner

    runner.resume_work(UUID(tenant_id), UUID(message_id))


@app.task(name="conversations.tasks.generate_questions", priority=-10)
@job
def generate_questions(
    tenant_id: str, collection_id: str, agent_id: str, user_id: str | None, actor: str, passages: int
) -> None:
    """Ask an agent's model for questions that passages of a collection answer."""
    from conversations.runtime import question_generation
    from conversations.runtime.turns import Caller

    caller = Caller(UUID(tenant_id), UUID(user_id) if user_id else None, actor)
    question_generation.generate_questions(caller, UUID(collection_id), UUID(agent_id), passages=passages)


@app.task(
    name="conversations.tasks.summarize_session",
    retry=RetryStrategy(
        max_attempts=5, exponential_wait=5, retry_exceptions={OperationalError, InterfaceError}
    ),
)
@job
def summarize_session(tenant_id: str, conversation_id: str) -> None:
    """Summarize and title an ended or idle conversation."""
    from conversations.runtime.summaries import summarize

    summarize(UUID(tenant_id), UUID(conversation_id))


@app.periodic(cron="*/5 * * * *")
@app.task(queueing_lock="summarize_idle_sessions")
@job
def summarize_idle_sessions(timestamp: int) -> None:
    """Defer the summaries of idle conversations to workers."""
    from conversations.services.sessions import defer_summary, list_idle_conversations

    if not settings.SESSION_IDLE_MINUTES:
        return
    idle = timedelta(minutes=settings.SESSION_IDLE_MINUTES)
    with platform_scope(reason="summarize idle sessions", actor="system:upkeep"):
        due = list_idle_conversations(idle, within=idle + MAX_IDLE, most=BATCH_SIZE)
    for tenant_id, conversation_id in due:
        with tenant_scope(tenant_id, actor="system:upkeep"):
            defer_summary(conversation_id)


@app.periodic(cron="17 * * * *")
@app.task(queueing_lock="expire_approvals")
@job
def expire_approvals(timestamp: int) -> None:
    """Deny tool calls that waited too long for approval; their answers resume."""
    from conversations.runtime.approval_expiry import expire_waiting_calls

    expire_waiting_calls(timedelta(days=settings.APPROVAL_DAYS))


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="embed_new_messages")
@job
def embed_new_messages(timestamp: int) -> None:
    """Embed the messages of the last day for search."""
    from conversations.services.message_index import embed_messages

    embed_messages(back=timedelta(days=1))


@app.periodic(cron="58 4 * * *")
@app.task(queueing_lock="delete_stray_attachments")
@job
def delete_stray_attachments(timestamp: int) -> None:
    """Delete attachment files of deleted conversations."""
    from conversations.models import Attachment
    from conversations.services.attachments import FOLDER
    from knowledge.services.maintenance import delete_stray_files

    delete_stray_files(folder=FOLDER, naming=Attachment)


@app.periodic(cron="41 3 * * *")
@app.task(queueing_lock="embed_left_messages")
@job
def embed_left_messages(timestamp: int) -> None:
    """Embed messages of the last month that the frequent job missed."""
    from conversations.services.message_index import embed_messages

    embed_messages(back=timedelta(days=31))
