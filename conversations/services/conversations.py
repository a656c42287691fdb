"""Conversations: beginning them and taking turns in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone

from agents.choices import AgentStatus
from agents.models import Agent
from agents.services.versions import latest_version
from config.db.ids import uuid7
from config.tenancy.scope import require_tenant_id
from conversations.choices import (
    ConversationMode,
    ConversationStatus,
    MessageRole,
    MessageStatus,
    ParticipantRole,
)
from conversations.models import Conversation, Message, Participant
from conversations.services.insert_templates import InsertTemplate, build_insert_template
from conversations.services.leases import Lease, open_lease

TITLE_LENGTH = 80
MOST_AGENTS = 8


class ConversationClosed(ValidationError):
    """The conversation is completed or archived, or its agent does not answer now."""


@dataclass(frozen=True, slots=True)
class BegunTurn:
    """A stored question and the place kept for its answer; `lease` lets this process make it."""

    conversation: Conversation
    question: Message
    answer: Message
    lease: Lease | None = None


@transaction.atomic
def start_conversation(
    agent: Agent,
    *,
    user_id: UUID | None,
    title: str = "",
    metadata: dict[str, Any] | None = None,
    mode: str = ConversationMode.SINGLE,
    others: Sequence[Agent] = (),
) -> Conversation:
    """A conversation of the person with `agent`, and with `others` in the modes of several agents.

    Needs a tenant's scope. Agents answer in the order given.

    Raises:
        ConversationClosed: when an agent is not active.
        ValidationError: when the agents do not fit the mode, or one is named twice.
    """
    agents = [agent, *others]
    is_single = mode == ConversationMode.SINGLE
    _require_agents(agents, is_single=is_single)
    conversation = Conversation(
        user_id=user_id,
        agent=agent if is_single else None,
        agent_version=latest_version(agent) if is_single else None,
        title=title,
        metadata=metadata or {},
        mode=mode,
    )
    conversation.save()
    common = {"tenant_id": conversation.tenant_id, "conversation": conversation}
    takers = [Participant(agent=each, role=ParticipantRole.AGENT, **common) for each in agents]
    if user_id:
        takers.append(Participant(user_id=user_id, role=ParticipantRole.OWNER, **common))
    Participant.objects.bulk_create(takers)
    return conversation


def _require_agents(agents: list[Agent], *, is_single: bool) -> None:
    if (len(agents) == 1) != is_single or len({each.pk for each in agents}) < len(agents):
        raise ValidationError(
            {"agents": "One agent answers in single mode, several in the others, each once."}
        )
    if len(agents) > MOST_AGENTS:
        raise ValidationError({"agents": f"At most {MOST_AGENTS} agents answer."})
    for each in agents:
        require_active(each)


@transaction.atomic
def begin_turn(conversation_id: UUID, *, content: str, user_id: UUID | None) -> BegunTurn:
    """Store what the person says and keep a place for the answer, under a lock that orders the turns.

    Raises:
        Conversation.DoesNotExist: when the scope has no such conversation.
        ConversationClosed: when it does not go on, or several agents answer in it.
    """
    conversation = locked(conversation_id)
    if conversation.agent is None:
        raise ConversationClosed("This conversation has no agent that answers.")
    return _begin(conversation, [conversation.agent], content, user_id)[0]


@transaction.atomic
def begin_round(
    conversation_id: UUID,
    *,
    content: str,
    user_id: UUID | None,
    replaces: UUID | None = None,
    files: int = 0,
) -> list[BegunTurn]:
    """The same for conversations of every mode: a place for each agent's answer, in the order of the agents.

    Args:
        replaces: message of another branch that `content` is said instead of.
        files: how many files come with it.

    Raises:
        Conversation.DoesNotExist: when the scope has no such conversation.
        ConversationClosed: when it does not go on.
    """
    conversation = locked(conversation_id)
    agents = [conversation.agent] if conversation.agent else []
    if conversation.mode != ConversationMode.SINGLE:
        taking_part = Participant.objects.filter(conversation=conversation, agent__isnull=False)
        agents = [each.agent for each in taking_part.select_related("agent").order_by("id")]
    if not agents:
        raise ConversationClosed("This conversation has no agent that answers.")
    return _begin(conversation, agents, content, user_id, replaces_id=replaces, metadata=with_files(files))


def locked(conversation_id: UUID) -> Conversation:
    """The conversation, held until the transaction ends.

    Raises:
        Conversation.DoesNotExist: when the scope has no such conversation.
        ConversationClosed: when it does not go on.
    """
    # The agent may be missing, so only the conversation's row can be locked.
    conversation = (
        Conversation.objects.select_related("agent").select_for_update(of=("self",)).get(pk=conversation_id)
    )
    if conversation.status != ConversationStatus.ACTIVE:
        raise ConversationClosed(f"This conversation is {conversation.get_status_display().lower()}.")
    return conversation


def _begin(
    conversation: Conversation,
    agents: Sequence[Agent],
    content: str,
    user_id: UUID | None,
    **said: Any,
) -> list[BegunTurn]:
    """`said` are further columns of the question."""
    for agent in agents:
        require_active(agent)
    common = {"tenant_id": conversation.tenant_id, "conversation_id": conversation.pk}
    first = conversation.message_count + 1
    question = Message(
        id=uuid7(),
        sequence_number=first,
        role=MessageRole.USER,
        content=content,
        user_id=user_id,
        **said,
        **common,
    )
    answers = [
        Message(
            id=uuid7(),
            sequence_number=number,
            role=MessageRole.ASSISTANT,
            status=MessageStatus.PENDING,
            agent_id=agent.pk,
            reply_to_id=question.pk,
            model=agent.model_name,
            **common,
        )
        for number, agent in enumerate(agents, first + 1)
    ]
    Message.objects.bulk_create([question, *answers])
    _advance(conversation, content, 1 + len(answers))
    return [BegunTurn(conversation, question, answer, open_lease(answer)) for answer in answers]


FILES = "attachments"


def with_files(files: int) -> dict[str, Any]:
    """The metadata of a message that comes with so many files: turns without any need not look for them."""
    return {FILES: files} if files else {}


def files_of(message: Message) -> int:
    """How many files came with the message."""
    files = message.metadata.get(FILES)
    return files if isinstance(files, int) else 0


# One statement: the conversation's counter is the lock that orders its messages.
RECORD = (
    "WITH place AS (UPDATE conversations_conversation c SET message_count = message_count + 1,"
    " last_message_at = now(), updated_at = now() WHERE tenant_id = %(tenant_id)s AND id = %(conversation_id)s"
    " AND status = 'active' AND (user_id = %(asking)s OR EXISTS (SELECT FROM conversations_participant p"
    " WHERE p.tenant_id = c.tenant_id AND p.conversation_id = c.id AND p.user_id = %(asking)s))"
    " RETURNING message_count) INSERT INTO conversations_message ({columns}) SELECT {values} FROM place"
    " RETURNING id, sequence_number, created_at"
)


# What differs between recorded messages; every other column has its default.
RECORDED = frozenset({"tenant_id", "conversation_id", "role", "content", "user_id", "metadata", "updated_at"})


@cache
def _record_sql() -> tuple[str, InsertTemplate]:
    """The statement that stores a message, and what it is given."""
    row = build_insert_template(Message, RECORDED, instead={"sequence_number": "message_count"})
    return RECORD.format(columns=row.columns, values=row.values), row


def record_message(
    conversation_id: UUID,
    *,
    role: str,
    content: str,
    user_id: UUID,
    metadata: dict[str, Any] | None = None,
) -> Message | None:
    """Store a message that nobody answers, as its next; needs a tenant's scope.

    Returns:
        The message; None when `user_id` takes part in no such conversation, or it does not go on.
    """
    message = Message(
        tenant_id=require_tenant_id(),
        conversation_id=conversation_id,
        role=role,
        content=content,
        user_id=user_id if role == MessageRole.USER else None,
        metadata=metadata or {},
    )
    connection.ensure_connection()
    sql, text = _record_sql()
    with connection.prepared_cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute(sql, text.given(message) | {"asking": user_id})
        row = cursor.fetchone()
    if row is None:
        return None
    message.pk, message.sequence_number, message.created_at = row
    message._state.adding = False
    return message


def require_active(agent: Agent) -> None:
    """Raises:
    ConversationClosed: when the agent does not answer now.
    """
    if agent.status != AgentStatus.ACTIVE or agent.deleted_at is not None:
        raise ConversationClosed(f"The agent «{agent.name}» is not active.")


def _advance(conversation: Conversation, content: str, messages: int) -> None:
    conversation.message_count += messages
    conversation.last_message_at = timezone.now()
    fields = ["message_count", "last_message_at", "updated_at"]
    if not conversation.title:
        conversation.title = title_of(content)
        fields.append("title")
    conversation.save(update_fields=fields)


def title_of(content: str) -> str:
    """The first line of a question, cut to a title's length."""
    first = content.strip().splitlines()[0] if content.strip() else ""
    return first if len(first) <= TITLE_LENGTH else f"{first[: TITLE_LENGTH - 1]}…"


def agent_by_name(name: str, *, related: Sequence[str] = ()) -> Agent | None:
    """The scope's agent with this slug or id, and in the same statement its `related` rows; None: there is none."""
    rows = Agent.objects.select_related(*related) if related else Agent.objects.all()
    try:
        return rows.filter(pk=UUID(name)).first()
    except ValueError:
        return rows.filter(slug=name).first()
