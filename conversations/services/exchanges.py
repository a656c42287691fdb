"""Exchanges: a question and its answer in a conversation of their own, for clients that keep the history.

Clients of `/v1` send the whole conversation with each call. What they send last is stored as the question; what
was said before goes to the model, and was stored when it was said.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from agents.choices import AgentStatus
from agents.models import Agent
from agents.services.versions import latest_version
from config.db.ids import uuid7
from conversations.choices import MessageRole, MessageStatus, ParticipantRole
from conversations.models import Conversation, Message, Participant
from conversations.services.conversations import BegunTurn, ConversationClosed, title_of
from tenants.scoping import require_tenant_id

# What an integer column takes; an endpoint may report anything.
MOST_TOKENS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Asked:
    """A question: `role` is tool when tools of the client return, whose results `metadata` then holds."""

    content: str
    role: str = MessageRole.USER
    metadata: dict[str, Any] = field(default_factory=dict)


@transaction.atomic
def open_exchange(
    agent: Agent | None,
    *,
    asked: "Asked",
    model: str,
    user_id: UUID | None,
    metadata: dict[str, Any],
) -> BegunTurn:
    """A new conversation with a stored question and the place kept for its answer; in a tenant's scope.

    Args:
        agent: who answers; None when a model is asked without an agent.
        asked: the question.
        model: the model's name, for the answer.

    Raises:
        ConversationClosed: when the agent is not active.
    """
    if agent is not None and (agent.status != AgentStatus.ACTIVE or agent.deleted_at is not None):
        raise ConversationClosed(f"The agent «{agent.name}» is not active.")
    tenant_id = require_tenant_id()
    conversation = Conversation(
        id=uuid7(),
        tenant_id=tenant_id,
        user_id=user_id,
        agent=agent,
        agent_version=latest_version(agent) if agent else None,
        title=title_of(asked.content),
        metadata=metadata,
        message_count=2,
        started_at=timezone.now(),
        last_message_at=timezone.now(),
    )
    conversation.save(force_insert=True)
    _join(conversation, agent, user_id)
    return BegunTurn(conversation, *_question_and_answer(conversation, 0, asked, model, user_id))


def _join(conversation: Conversation, agent: Agent | None, user_id: UUID | None) -> None:
    takers = []
    if agent is not None:
        takers.append(Participant(agent=agent, role=ParticipantRole.AGENT))
    if user_id is not None:
        takers.append(Participant(user_id=user_id, role=ParticipantRole.OWNER))
    for taker in takers:
        taker.tenant_id, taker.conversation = conversation.tenant_id, conversation
    Participant.objects.bulk_create(takers)


@transaction.atomic
def continue_exchange(answer: Message, *, asked: "Asked", model: str, user_id: UUID | None) -> BegunTurn:
    """The next question after `answer` in its conversation, and the place kept for its answer."""
    conversation = Conversation.objects.select_for_update().get(pk=answer.conversation_id)
    place = conversation.message_count
    Conversation.objects.filter(pk=conversation.pk).update(
        message_count=F("message_count") + 2, last_message_at=timezone.now(), updated_at=timezone.now()
    )
    return BegunTurn(conversation, *_question_and_answer(conversation, place, asked, model, user_id))


def _question_and_answer(
    conversation: Conversation, place: int, asked: "Asked", model: str, user_id: UUID | None
) -> tuple[Message, Message]:
    common = {"tenant_id": conversation.tenant_id, "conversation_id": conversation.pk}
    question = Message(
        id=uuid7(),
        sequence_number=place + 1,
        role=asked.role,
        content=asked.content,
        metadata=asked.metadata,
        user_id=user_id,
        **common,
    )
    answer = Message(
        id=uuid7(),
        sequence_number=place + 2,
        role=MessageRole.ASSISTANT,
        status=MessageStatus.PENDING,
        agent_id=conversation.agent_id,
        reply_to_id=question.pk,
        model=model[:100],
        **common,
    )
    Message.objects.bulk_create([question, answer])
    return question, answer


@transaction.atomic
def close_exchange(
    conversation_id: UUID, answer_id: UUID, *, token_count: int, cost: Decimal, **changes: Any
) -> bool:
    """Store how the answer ended; False when it has ended already."""
    pending = Message.objects.younger_than(conversation_id).filter(pk=answer_id, status=MessageStatus.PENDING)
    counted = min(token_count, MOST_TOKENS)
    if not pending.update(token_count=counted, cost=cost, updated_at=timezone.now(), **changes):
        return False
    Conversation.objects.filter(pk=conversation_id).update(
        total_tokens=F("total_tokens") + counted,
        total_cost=F("total_cost") + cost,
        last_message_at=timezone.now(),
    )
    return True


def up_to(answer: Message) -> list[Message]:
    """What was said in the answer's conversation, the answer included, in order."""
    rows = Message.objects.younger_than(answer.conversation_id).filter(
        conversation_id=answer.conversation_id,
        sequence_number__lte=answer.sequence_number,
        status=MessageStatus.COMPLETED,
    )
    return list(rows.order_by("sequence_number"))


def answer_of(identifier: UUID, user_id: UUID) -> Message | None:
    """The completed answer with this id in a conversation that the person takes part in, else None."""
    rows = Message.objects.filter(pk=identifier, role=MessageRole.ASSISTANT, status=MessageStatus.COMPLETED)
    return rows.filter(conversation__in=Conversation.objects.visible_to(user_id)).first()
