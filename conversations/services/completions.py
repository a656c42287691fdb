"""Completions: a question and its answer in a separate conversation, for clients that keep the history.

Clients of `/v1` send the whole conversation with each call. The last message is stored as the question. Earlier
messages go to the model; they were stored by earlier calls.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import CharField, F, TextField
from django.utils import timezone

from agents.models import Agent
from agents.services.versions import latest_version
from config.db.ids import uuid7
from config.db.prepared import run_prepared
from config.tenancy.scope import require_tenant_id
from conversations.choices import ConversationStatus, MessageRole, MessageStatus
from conversations.models import Conversation, Message
from conversations.services.conversations import (
    BegunTurn,
    ConversationClosedError,
    build_title,
    require_active,
)
from conversations.services.insert_templates import InsertTemplate, build_insert_template

# Maximum of an integer column; model endpoints may report any number.
MAX_TOKENS = 2**31 - 1


class AlreadyContinuedError(ValidationError):
    """Another turn continues from the answer."""


@dataclass(frozen=True, slots=True)
class CompletionQuestion:
    """A question. With the role tool, `metadata` holds the results of client tools."""

    content: str
    role: str = MessageRole.USER
    metadata: dict[str, Any] = field(default_factory=dict)


def open_completion(
    agent: Agent | None,
    *,
    asked: "CompletionQuestion",
    model: str,
    user_id: UUID | None,
    metadata: dict[str, Any],
    is_open: bool = True,
) -> BegunTurn:
    """Store a conversation with a question and a pending answer. Needs a tenant scope.

    Args:
        agent: the agent that answers; None for a model without an agent.
        asked: the question.
        model: the model's name, for the answer.
        is_open: whether the conversation can be continued.

    Raises:
        AgentInactiveError: the agent is not active.
    """
    if agent is not None:
        require_active(agent)
    tenant_id = require_tenant_id()
    conversation = Conversation(
        id=uuid7(),
        tenant_id=tenant_id,
        user_id=user_id,
        agent=agent,
        agent_version=latest_version(agent) if agent else None,
        title=build_title(asked.content),
        metadata=metadata,
        status=ConversationStatus.ACTIVE if is_open else ConversationStatus.COMPLETED,
        message_count=2,
        started_at=timezone.now(),
        last_message_at=timezone.now(),
    )
    agent_id = agent.pk if agent else None
    question, answer = _question_and_answer(conversation, 0, asked, model, user_id, agent_id)
    _store(conversation, question, answer)
    return BegunTurn(conversation, question, answer)


# A statement does not see the rows that it inserts, and the policies of messages look up the conversation.
OPEN = "INSERT INTO conversations_conversation ({columns}) VALUES ({values})"
# Foreign keys are checked at the end of the statement, after all rows are inserted.
BEGIN = (
    "WITH joined AS (INSERT INTO conversations_participant (tenant_id, conversation_id, user_id, agent_id, role)"
    " SELECT %(a_tenant_id)s::uuid, %(a_conversation_id)s::uuid, p.user_id, p.agent_id, p.role FROM"
    " (VALUES (NULL::uuid, %(a_agent_id)s::uuid, 'agent'), (%(q_user_id)s::uuid, NULL::uuid, 'owner'))"
    " AS p (user_id, agent_id, role) WHERE num_nonnulls(p.user_id, p.agent_id) = 1)"
    " INSERT INTO conversations_message ({question.columns}) VALUES ({question.values}), ({answer.values})"
)
OPENED = frozenset(
    {
        "id",
        "tenant_id",
        "user_id",
        "agent_id",
        "agent_version_id",
        "title",
        "metadata",
        "status",
        "message_count",
        "started_at",
        "last_message_at",
    }
)
SAID = frozenset(
    {
        "id",
        "tenant_id",
        "conversation_id",
        "sequence_number",
        "role",
        "status",
        "content",
        "metadata",
        "user_id",
        "agent_id",
        "reply_to_id",
        "model",
    }
)


@cache
def _open_sql() -> tuple[str, InsertTemplate]:
    row = build_insert_template(Conversation, OPENED)
    return OPEN.format(columns=row.columns, values=row.values), row


@cache
def _begin_sql() -> tuple[str, InsertTemplate, InsertTemplate]:
    question, answer = (build_insert_template(Message, SAID, prefix=prefix) for prefix in ("q_", "a_"))
    return BEGIN.format(question=question, answer=answer), question, answer


def _store(conversation: Conversation, question: Message, answer: Message) -> None:
    """Store a new conversation, its participants, and its first question and answer."""
    connection.ensure_connection()
    opening, opened = _open_sql()
    beginning, asked, answered = _begin_sql()
    with connection.prepared_cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute(opening, opened.given(conversation))
        cursor.execute(beginning, asked.given(question) | answered.given(answer))
    for row in (conversation, question, answer):
        row._state.adding = False


@transaction.atomic
def continue_completion(
    answer: Message,
    agent: Agent | None,
    *,
    asked: "CompletionQuestion",
    model: str,
    user_id: UUID | None,
    allows_branches: bool = True,
) -> BegunTurn:
    """Store the next question after `answer`, and its pending answer.

    Args:
        allows_branches: whether several turns may continue from the same answer.

    Raises:
        ConversationClosedError: the conversation is closed.
        AlreadyContinuedError: another turn continues from the answer, and branches are not allowed.
        AgentInactiveError: the agent is not active.
    """
    if agent is not None:
        require_active(agent)
    conversation = Conversation.objects.select_for_update().get(pk=answer.conversation_id)
    if conversation.status != ConversationStatus.ACTIVE:
        raise ConversationClosedError(f"This conversation is {conversation.get_status_display().lower()}.")
    # Checked under the lock: of two concurrent requests, the second sees the turn of the first.
    if not allows_branches and is_continued(answer):
        raise AlreadyContinuedError("The message has already been continued.")
    place = conversation.message_count
    Conversation.objects.filter(pk=conversation.pk).update(
        message_count=F("message_count") + 2, last_message_at=timezone.now()
    )
    agent_id = agent.pk if agent else None
    question, answer = _question_and_answer(conversation, place, asked, model, user_id, agent_id)
    Message.objects.bulk_create([question, answer])
    return BegunTurn(conversation, question, answer)


def _question_and_answer(
    conversation: Conversation,
    place: int,
    asked: "CompletionQuestion",
    model: str,
    user_id: UUID | None,
    agent_id: UUID | None,
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
        agent_id=agent_id,
        reply_to_id=question.pk,
        model=model[:100],
        **common,
    )
    return question, answer


CLOSE = (
    "WITH closed AS (UPDATE conversations_message SET {changes}"
    " WHERE tenant_id = %(tenant)s AND id = %(answer)s AND status = 'pending' RETURNING id)"
    " UPDATE conversations_conversation SET total_tokens = total_tokens + %(token_count)s::integer,"
    " total_cost = total_cost + %(cost)s::numeric, last_message_at = now()"
    " WHERE tenant_id = %(tenant)s AND id = %(conversation)s AND EXISTS (SELECT FROM closed) RETURNING id"
)


@cache
def _close_sql(names: tuple[str, ...]) -> str:
    changes = []
    for name in names:
        field: Any = Message._meta.get_field(name)
        kind = "text" if isinstance(field, CharField | TextField) else field.db_type(connection)
        changes.append(f"{field.column} = %({name})s::{kind}")
    return CLOSE.format(changes=", ".join(changes))


def close_completion(
    conversation_id: UUID, answer_id: UUID, *, token_count: int, cost: Decimal, changes: dict[str, Any]
) -> bool:
    """Store the outcome of the answer; return False if it has already ended. Needs a tenant scope."""
    changes = {**changes, "token_count": min(token_count, MAX_TOKENS), "cost": cost}
    values = {
        name: Message._meta.get_field(name).get_db_prep_save(value, connection)  # type: ignore[union-attr]
        for name, value in changes.items()
    }
    ids = {"tenant": require_tenant_id(), "conversation": conversation_id, "answer": answer_id}
    return bool(run_prepared(_close_sql(tuple(changes)), values | ids))


def is_continued(answer: Message) -> bool:
    """Return whether another turn continues from the answer. A failed turn does not count."""
    later = Message.objects.created_after_id(answer.pk).filter(
        conversation_id=answer.conversation_id, sequence_number__gt=answer.sequence_number
    )
    return later.filter(role=MessageRole.ASSISTANT).exclude(status=MessageStatus.FAILED).exists()


def list_messages_until(answer: Message) -> list[Message]:
    """Return the messages of the conversation up to and including the answer, in order."""
    rows = Message.objects.created_after_id(answer.conversation_id).filter(
        conversation_id=answer.conversation_id,
        sequence_number__lte=answer.sequence_number,
        status=MessageStatus.COMPLETED,
    )
    return list(rows.order_by("sequence_number"))


def find_answer(identifier: UUID, user_id: UUID) -> Message | None:
    """Return the completed answer with this id if the person participates in its conversation."""
    rows = Message.objects.filter(pk=identifier, role=MessageRole.ASSISTANT, status=MessageStatus.COMPLETED)
    return rows.filter(conversation__in=Conversation.objects.visible_to(user_id)).first()
