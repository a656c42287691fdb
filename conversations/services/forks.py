"""Forks of conversations. An edit is a fork just before the edited question."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from audit.services.events import record_event
from config.db.ids import uuid7
from conversations.choices import ChatMode, ConversationStatus, MessageRole, MessageStatus
from conversations.models import Attachment, Conversation, Message, Participant, SessionState
from conversations.services.conversations import BegunTurn, begin_round, build_file_metadata, count_files

# Copied message columns; costs stay with the original.
COPIED = (
    "role",
    "content",
    "status",
    "citations",
    "user_id",
    "agent_id",
    "model",
    "tool_calls",
    "tool_results",
    "tool_used",
    "metadata",
)
# Copied attachment columns; both rows point to the same stored file.
COPIED_FILES = (
    "filename",
    "media_type",
    "file_size",
    "checksum",
    "storage_path",
    "text",
    "user_id",
    "metadata",
)
# Chat modes that apply to the fork, too; meetings stay with the original.
COPIED_MODES = (ChatMode.SMART_ROUTER, ChatMode.SOCRATIC)
MAX_COPIED_MESSAGES = 2000
UNDER_WAY = (MessageStatus.PENDING, MessageStatus.AWAITING_APPROVAL)


class NotAuthorError(ValidationError):
    """Another person or an agent wrote the message."""


class AnswerPendingError(ValidationError):
    """An answer to the edited message, or an earlier one, is still in progress."""


@transaction.atomic
def fork_conversation(conversation: Conversation, *, at: UUID, user_id: UUID | None) -> Conversation:
    """Copy a conversation up to and including the message `at`.

    `forked_from`, `forked_at_id` and `metadata` of the fork name its origin. The `metadata` of each copied message
    names the original message.

    Raises:
        ValidationError: `at` is not a completed message of the conversation, or the fork would be too long.
    """
    last = _messages(conversation).filter(pk=at, status=MessageStatus.COMPLETED).first()
    if last is None:
        raise ValidationError({"at": "This object does not exist."})
    return _build_branch(
        conversation, _list_completed(conversation, last.sequence_number), user_id, field="at"
    )


@transaction.atomic
def edit_message(
    conversation: Conversation, message_id: UUID, *, content: str, user_id: UUID | None, answer: bool = True
) -> tuple[Conversation, list[BegunTurn]]:
    """Create a branch in which `content` replaces the person's message; the original does not change.

    Two concurrent edits of one message create two branches.

    Args:
        answer: request new answers; if False, only record the text.

    Returns:
        The branch and the requested answers.

    Raises:
        Message.DoesNotExist: the conversation has no such message.
        NotAuthorError: the person did not write the message.
        AnswerPendingError: an answer to this message or an earlier one is still in progress.
        ConversationClosedError: an agent is not active.
    """
    # Lock out new turns, so that a concurrent turn either waits or is visible.
    conversation = Conversation.objects.select_for_update(of=("self",)).get(pk=conversation.pk)
    message = _get_editable_message(conversation, message_id, user_id)
    branch = _build_branch(
        conversation, _list_completed(conversation, message.sequence_number - 1), user_id, field="content"
    )
    if answer:
        begun = begin_round(
            branch.pk, content=content, user_id=user_id, replaces=message.pk, files=count_files(message)
        )
        question = begun[0].question
    else:
        begun, question = [], _store_question(branch, content, user_id, message)
    _copy_files({message.pk: question})
    record_event(
        "message.edited",
        resource=question,
        metadata={"replaces": str(message.pk), "conversation": str(conversation.pk)},
    )
    return branch, begun


def _get_editable_message(conversation: Conversation, message_id: UUID, user_id: UUID | None) -> Message:
    rows = _messages(conversation)
    message: Message = rows.get(pk=message_id)
    if message.role != MessageRole.USER or user_id is None or message.user_id != user_id:
        raise NotAuthorError("You can only edit your own messages.")
    earlier = Q(sequence_number__lt=message.sequence_number) | Q(reply_to_id=message.pk)
    if rows.filter(earlier, status__in=UNDER_WAY).exists():
        raise AnswerPendingError(
            "An answer is still in progress. Wait for it, or decide its pending tool calls."
        )
    return message


def _messages(conversation: Conversation) -> Any:
    return Message.objects.created_after_id(conversation.pk).filter(conversation_id=conversation.pk)


def _list_completed(conversation: Conversation, up_to: int) -> list[Message]:
    complete = _messages(conversation).filter(sequence_number__lte=up_to, status=MessageStatus.COMPLETED)
    return list(complete.order_by("sequence_number")[: MAX_COPIED_MESSAGES + 1])


def _store_question(branch: Conversation, content: str, user_id: UUID | None, message: Message) -> Message:
    question = Message(
        id=uuid7(),
        conversation_id=branch.pk,
        sequence_number=branch.message_count + 1,
        role=MessageRole.USER,
        content=content,
        user_id=user_id,
        replaces_id=message.pk,
        metadata=build_file_metadata(count_files(message)),
    )
    question.save(force_insert=True)
    branch.message_count, branch.last_message_at = question.sequence_number, timezone.now()
    branch.save(update_fields=["message_count", "last_message_at", "updated_at"])
    return question


def _build_branch(
    conversation: Conversation, messages: Sequence[Message], user_id: UUID | None, *, field: str
) -> Conversation:
    if len(messages) > MAX_COPIED_MESSAGES:
        raise ValidationError({field: f"A branch can copy at most {MAX_COPIED_MESSAGES} messages."})
    fork = _create_fork(conversation, messages, user_id)
    _copy_people(conversation, fork, user_id)
    copies = _build_copies(fork, messages)
    Message.objects.bulk_create(copies.values())
    _copy_files(copies)
    return fork


def _create_fork(
    conversation: Conversation, messages: Sequence[Message], user_id: UUID | None
) -> Conversation:
    last = messages[-1] if messages else None
    origin = {"conversation": str(conversation.pk), "message": str(last.pk) if last else None}
    fork = Conversation(
        user_id=user_id,
        agent_id=conversation.agent_id,
        agent_version_id=conversation.agent_version_id,
        forked_from_id=conversation.pk,
        forked_at_id=last.pk if last else None,
        title=conversation.title,
        status=ConversationStatus.ACTIVE,
        mode=conversation.mode,
        context=conversation.context,
        metadata={**conversation.metadata, "forked_from": origin},
        message_count=len(messages),
        last_message_at=last.created_at if last else None,
    )
    fork.save()
    state = SessionState.objects.filter(conversation=conversation, mode__in=COPIED_MODES).first()
    if state is not None:
        SessionState.objects.create(conversation=fork, mode=state.mode)
    return fork


def _copy_people(conversation: Conversation, fork: Conversation, user_id: UUID | None) -> None:
    """Copy the agents and, of the people, only the one who forks; the others did not consent."""
    for each in Participant.objects.filter(conversation=conversation).order_by("id"):
        if each.agent_id or each.user_id == user_id:
            Participant.objects.create(
                conversation=fork, user_id=each.user_id, agent_id=each.agent_id, role=each.role
            )


def _build_copies(fork: Conversation, messages: Sequence[Message]) -> dict[UUID, Message]:
    """Return a copy of each message by the id of the original."""
    copies: dict[UUID, Message] = {}
    for number, message in enumerate(messages, 1):
        answered = copies.get(message.reply_to_id) if message.reply_to_id else None
        copies[message.pk] = copy = Message(
            id=uuid7(),
            tenant_id=fork.tenant_id,
            conversation_id=fork.pk,
            sequence_number=number,
            reply_to_id=answered.pk if answered else None,
            **{name: getattr(message, name) for name in COPIED},
        )
        copy.metadata = {**message.metadata, "copy_of": str(message.pk)}
    return copies


def _copy_files(copies: Mapping[UUID, Message]) -> None:
    """Copy the attachments of the originals; `copies` maps original ids to copies."""
    Attachment.objects.bulk_create(
        Attachment(
            tenant_id=copies[row.message_id].tenant_id,
            conversation_id=copies[row.message_id].conversation_id,
            message_id=copies[row.message_id].pk,
            **{name: getattr(row, name) for name in COPIED_FILES},
        )
        for row in Attachment.objects.filter(message_id__in=list(copies)).order_by("id")
    )
