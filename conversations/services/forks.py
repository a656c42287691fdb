"""Forks: another way on from a message, without losing the first one."""

from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction

from config.db.ids import uuid7
from conversations.choices import ConversationStatus, MessageStatus
from conversations.models import Conversation, Message, Participant

# What a copy of a message takes over; who paid for it stays with the first one.
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
MOST_MESSAGES = 2000


@transaction.atomic
def fork_conversation(conversation: Conversation, *, at: UUID, user_id: UUID | None) -> Conversation:
    """A new conversation of the person with what was said up to and with the message `at`.

    `metadata` of the new one names where it comes from, of each message the one that it copies. To edit a
    question, fork at the message before it and ask anew.

    Raises:
        ValidationError: when `at` is no message of the conversation, is not complete, or comes too late.
    """
    rows = Message.objects.younger_than(conversation.pk).filter(conversation_id=conversation.pk)
    last = rows.filter(pk=at, status=MessageStatus.COMPLETED).first()
    if last is None:
        raise ValidationError({"at": "This object does not exist."})
    said = list(
        rows.filter(sequence_number__lte=last.sequence_number, status=MessageStatus.COMPLETED).order_by(
            "sequence_number"
        )
    )
    if len(said) > MOST_MESSAGES:
        raise ValidationError({"at": f"A fork takes at most {MOST_MESSAGES} messages."})
    fork = _copied(conversation, last, len(said), user_id)
    _copy_people(conversation, fork, user_id)
    Message.objects.bulk_create(_copies(fork, said))
    return fork


def _copied(conversation: Conversation, last: Message, messages: int, user_id: UUID | None) -> Conversation:
    origin = {"conversation": str(conversation.pk), "message": str(last.pk)}
    fork = Conversation(
        user_id=user_id,
        agent_id=conversation.agent_id,
        title=conversation.title,
        status=ConversationStatus.ACTIVE,
        mode=conversation.mode,
        context=conversation.context,
        metadata={**conversation.metadata, "forked_from": origin},
        message_count=messages,
        last_message_at=last.created_at,
    )
    fork.save()
    return fork


def _copy_people(conversation: Conversation, fork: Conversation, user_id: UUID | None) -> None:
    """The agents come along; of the people only the one who forks: the others were not asked."""
    for each in Participant.objects.filter(conversation=conversation).order_by("id"):
        if each.agent_id or each.user_id == user_id:
            Participant.objects.create(
                conversation=fork, user_id=each.user_id, agent_id=each.agent_id, role=each.role
            )


def _copies(fork: Conversation, said: list[Message]) -> list[Message]:
    copies: list[Message] = []
    ids: dict[UUID | None, UUID] = {}
    for number, message in enumerate(said, 1):
        copy = Message(
            id=uuid7(),
            tenant_id=fork.tenant_id,
            conversation_id=fork.pk,
            sequence_number=number,
            reply_to_id=ids.get(message.reply_to_id),
            **{name: getattr(message, name) for name in COPIED},
        )
        copy.metadata = {**message.metadata, "copy_of": str(message.pk)}
        ids[message.pk] = copy.pk
        copies.append(copy)
    return copies
