"""Recovery of answers whose process died."""

import logging
from collections.abc import Callable
from uuid import UUID

from config.jobs import defer_once
from config.tenancy.scope import tenant_scope
from conversations.choices import ConversationMode, MessageStatus
from conversations.models import AnswerLease, Conversation, Message
from conversations.runtime.loop import run_turn
from conversations.runtime.turns import Caller, TurnContext, load_turn, with_stream_buffer
from conversations.services.conversations import BegunTurn
from conversations.services.leases import MAX_ATTEMPTS, fail_answer, get_lease, take_over

RESUME_JOB = "conversations.tasks.resume_work"
ACTOR = "system:upkeep"
ATTEMPTS_EXHAUSTED = (
    f"The process that generated the answer stopped {MAX_ATTEMPTS + 1} times at the same step."
)
logger = logging.getLogger(__name__)


def defer_resume(tenant_id: UUID, message_id: UUID) -> None:
    """Defer the answer or meeting to a worker, once. Needs a tenant scope."""
    arguments = {"tenant_id": str(tenant_id), "message_id": str(message_id)}
    defer_once(RESUME_JOB, f"resume:{message_id}", **arguments)


def resume_answer(
    tenant_id: UUID, message_id: UUID, *, prepare: Callable[[TurnContext], None] | None = None
) -> Message | None:
    """Take over the answer and finish it. Call it outside any scope.

    Args:
        prepare: called with the turn before it runs.

    Returns:
        The answer, or None if another process holds it or it must wait for an earlier answer.
    """
    with tenant_scope(tenant_id, actor=ACTOR):
        if _must_wait(message_id):
            return None
        row = take_over(message_id)
        if row is None:
            return None
        if row.attempts > MAX_ATTEMPTS:
            fail_answer(get_lease(row), reason=ATTEMPTS_EXHAUSTED)
            return None
    turn = _load_resumed_turn(row)
    if turn is None:
        return None
    if prepare:
        prepare(turn)
    # Readers may follow the resumed answer, even if it was not streamed before.
    return run_turn(with_stream_buffer(turn))


def _load_resumed_turn(row: AnswerLease) -> TurnContext | None:
    caller = Caller(row.tenant_id, row.user_id, row.actor)
    with caller.scope():
        answer = Message.objects.created_after_id(row.conversation_id).get(pk=row.message_id)
        question = Message.objects.created_after_id(row.conversation_id).filter(pk=answer.reply_to_id).first()
        if question is None or answer.agent_id is None:
            fail_answer(get_lease(row), reason="The question or the agent of this answer was deleted.")
            return None
        conversation = Conversation.objects.get(pk=row.conversation_id)
        return load_turn(BegunTurn(conversation, question, answer, get_lease(row)), caller)


def _must_wait(message_id: UUID) -> bool:
    """Whether an earlier answer that this one builds on is still pending."""
    row = AnswerLease.objects.select_related("conversation").filter(message_id=message_id).first()
    if row is None or row.conversation.mode != ConversationMode.COLLABORATIVE:
        return False
    answer = Message.objects.created_after_id(row.conversation_id).get(pk=message_id)
    return (
        Message.objects.created_after_id(row.conversation_id)
        .filter(
            conversation_id=row.conversation_id,
            reply_to_id=answer.reply_to_id,
            sequence_number__lt=answer.sequence_number,
            status=MessageStatus.PENDING,
        )
        .exists()
    )
