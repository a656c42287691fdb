"""Start conversations and their turns."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from agents.choices import AgentStatus, Provider
from agents.models import Agent, AgentVersion
from agents.services.versions import latest_version
from config.db.ids import uuid7
from config.db.prepared import run_prepared
from config.tenancy.scope import require_tenant_id
from conversations.choices import (
    ChatMode,
    ConversationMode,
    ConversationStatus,
    MessageRole,
    MessageStatus,
    ParticipantRole,
)
from conversations.models import Conversation, Message, Participant, SessionState
from conversations.services.agent_routing import route_question
from conversations.services.insert_templates import InsertTemplate, build_insert_template
from conversations.services.leases import Lease, open_lease

TITLE_LENGTH = 80
MAX_AGENTS = 8


class ConversationClosedError(ValidationError):
    """The conversation takes no questions: it is completed or archived, or has no active agent."""


class AgentInactiveError(ConversationClosedError):
    """The agent is not active."""


@dataclass(frozen=True, slots=True)
class BegunTurn:
    """A stored question and its pending answer; `lease` lets this process generate the answer."""

    conversation: Conversation
    question: Message
    answer: Message
    lease: Lease | None = None

    @property
    def held_lease(self) -> Lease:
        """The lease, of a turn that this process began."""
        if self.lease is None:
            raise RuntimeError("This answer has no lease.")
        return self.lease


@transaction.atomic
def start_conversation(
    agent: Agent,
    *,
    user_id: UUID | None,
    title: str = "",
    metadata: dict[str, Any] | None = None,
    mode: str = ConversationMode.SINGLE,
    others: Sequence[Agent] = (),
    chat_mode: str = ChatMode.SIMPLE,
    version: AgentVersion | None = None,
    conversation_id: UUID | None = None,
) -> Conversation:
    """Start a conversation with `agent`, and with `others` in modes with several agents.

    Needs a tenant scope. Agents answer in the given order. A single agent has its latest version by default.

    Raises:
        AgentInactiveError: an agent is not active.
        ValidationError: the agents do not match the mode or the chat mode, or one is listed twice.
    """
    agents = [agent, *others]
    is_single = mode == ConversationMode.SINGLE
    _require_agents(agents, is_single=is_single)
    _require_chat_mode(chat_mode, agents, mode)
    conversation = Conversation(
        id=conversation_id or uuid7(),
        user_id=user_id,
        agent=agent if is_single else None,
        agent_version=(version or latest_version(agent)) if is_single else None,
        title=title,
        metadata=metadata or {},
        mode=mode,
    )
    conversation.save(force_insert=True)
    _add_participants(conversation, agents)
    if chat_mode != ChatMode.SIMPLE:
        SessionState.objects.create(conversation=conversation, mode=chat_mode)
    return conversation


def _add_participants(conversation: Conversation, agents: Sequence[Agent]) -> None:
    common = {"tenant_id": conversation.tenant_id, "conversation": conversation}
    takers = [Participant(agent=each, role=ParticipantRole.AGENT, **common) for each in agents]
    if conversation.user_id:
        takers.append(Participant(user_id=conversation.user_id, role=ParticipantRole.OWNER, **common))
    Participant.objects.bulk_create(takers)


def _require_chat_mode(chat_mode: str, agents: Sequence[Agent], mode: str) -> None:
    if chat_mode == ChatMode.EXPERT_GROUP:
        raise ValidationError({"chat_mode": "Start the conversation, then its meeting."})
    if chat_mode == ChatMode.SMART_ROUTER and mode != ConversationMode.MULTI:
        raise ValidationError({"chat_mode": "The router requires the mode multi, with several agents."})
    if chat_mode == ChatMode.SOCRATIC and any(each.model_provider == Provider.EXTRACTIVE for each in agents):
        raise ValidationError({"chat_mode": "The offline model cannot ask back. Choose another agent."})


def _require_agents(agents: list[Agent], *, is_single: bool) -> None:
    if (len(agents) == 1) != is_single or len({each.pk for each in agents}) < len(agents):
        raise ValidationError(
            {"agents": "List one agent in single mode, or several different agents in the other modes."}
        )
    if len(agents) > MAX_AGENTS:
        raise ValidationError({"agents": f"A conversation can have at most {MAX_AGENTS} agents."})
    for each in agents:
        require_active(each)


@transaction.atomic
def begin_turn(
    conversation_id: UUID,
    *,
    content: str,
    user_id: UUID | None,
    answer_metadata: dict[str, Any] | None = None,
) -> BegunTurn:
    """Store a question and its pending answer, under a lock that orders the turns.

    Raises:
        Conversation.DoesNotExist: the scope has no such conversation.
        ConversationClosedError: the conversation is closed, or has several agents.
    """
    conversation = lock_conversation(conversation_id)
    if conversation.agent is None:
        raise ConversationClosedError("This conversation has no agent to answer.")
    (begun,) = _begin(conversation, [conversation.agent], content, user_id, answer_metadata=answer_metadata)
    return begun


@transaction.atomic
def begin_round(
    conversation_id: UUID,
    *,
    content: str,
    user_id: UUID | None,
    replaces: UUID | None = None,
    files: int = 0,
) -> list[BegunTurn]:
    """Store a question and a pending answer for each agent, in order, in any mode.

    Args:
        replaces: the message of another branch that `content` replaces.
        files: number of attached files.

    Raises:
        Conversation.DoesNotExist: the scope has no such conversation.
        ConversationClosedError: the conversation is closed.
    """
    conversation = lock_conversation(conversation_id)
    agents = _list_agents(conversation)
    if not agents:
        raise ConversationClosedError("This conversation has no agent to answer.")
    metadata: dict[str, Any] = {}
    if conversation.chat_mode == ChatMode.SMART_ROUTER:  # type: ignore[attr-defined]
        agents, metadata = _route(conversation, agents, content, user_id)
    return _begin(
        conversation,
        agents,
        content,
        user_id,
        answer_metadata=metadata,
        replaces_id=replaces,
        metadata=build_file_metadata(files),
    )


def _list_agents(conversation: Conversation) -> list[Agent]:
    """Return the agents that answer, in order."""
    if conversation.mode == ConversationMode.SINGLE:
        return [conversation.agent] if conversation.agent else []
    rows = Participant.objects.filter(conversation=conversation, agent__isnull=False)
    return [each.agent for each in rows.select_related("agent").order_by("id") if each.agent]


def _route(
    conversation: Conversation, agents: list[Agent], content: str, user_id: UUID | None
) -> tuple[list[Agent], dict[str, Any]]:
    """Return the agent that the router chooses, and the metadata of its answer."""
    active = [each for each in agents if is_active(each)]
    latest = _get_latest_agent(conversation)
    route = route_question(content, active or agents, user_id=user_id, latest=latest)
    return [route.agent], route.build_metadata()


def _get_latest_agent(conversation: Conversation) -> UUID | None:
    """Return the agent of the latest answer."""
    rows = Message.objects.created_after_id(conversation.pk).filter(
        conversation_id=conversation.pk, agent_id__isnull=False
    )
    return rows.order_by("-sequence_number").values_list("agent_id", flat=True).first()


def lock_conversation(conversation_id: UUID) -> Conversation:
    """Return the conversation, locked until the transaction ends.

    Raises:
        Conversation.DoesNotExist: the scope has no such conversation.
        ConversationClosedError: the conversation is closed.
    """
    # The agent is nullable, and PostgreSQL cannot lock the nullable side of an outer join.
    rows = Conversation.objects.select_related("agent").select_for_update(of=("self",))
    state = SessionState.objects.filter(conversation_id=OuterRef("pk")).order_by()
    conversation = rows.annotate(chat_mode=Subquery(state.values("mode")[:1])).get(pk=conversation_id)
    if conversation.status != ConversationStatus.ACTIVE:
        raise ConversationClosedError(f"This conversation is {conversation.get_status_display().lower()}.")
    return conversation


def _begin(
    conversation: Conversation,
    agents: Sequence[Agent],
    content: str,
    user_id: UUID | None,
    *,
    answer_metadata: dict[str, Any] | None = None,
    **columns: Any,
) -> list[BegunTurn]:
    """Store the question and the pending answers; `columns` holds further columns of the question."""
    if conversation.chat_mode == ChatMode.SOCRATIC:  # type: ignore[attr-defined]
        answer_metadata = {**(answer_metadata or {}), "mode": ChatMode.SOCRATIC}
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
        **columns,
        **common,
    )
    answers = [
        _build_answer(question, agent, number, answer_metadata)
        for number, agent in enumerate(agents, first + 1)
    ]
    Message.objects.bulk_create([question, *answers])
    _advance(conversation, content, 1 + len(answers))
    return [BegunTurn(conversation, question, answer, open_lease(answer)) for answer in answers]


def _build_answer(question: Message, agent: Agent, number: int, metadata: dict[str, Any] | None) -> Message:
    return Message(
        id=uuid7(),
        sequence_number=number,
        role=MessageRole.ASSISTANT,
        status=MessageStatus.PENDING,
        agent_id=agent.pk,
        reply_to_id=question.pk,
        model=agent.model_name,
        metadata=dict(metadata or {}),
        tenant_id=question.tenant_id,
        conversation_id=question.conversation_id,
    )


FILES = "attachments"


def build_file_metadata(files: int) -> dict[str, Any]:
    """Return message metadata with the number of files, so that turns without files skip the query."""
    return {FILES: files} if files else {}


def count_files(message: Message) -> int:
    """Return the number of files of the message."""
    files = message.metadata.get(FILES)
    return files if isinstance(files, int) else 0


# One statement: the update of the message counter locks the row and orders the messages.
RECORD = (
    "WITH place AS (UPDATE conversations_conversation c SET message_count = message_count + 1,"
    " last_message_at = now() WHERE tenant_id = %(tenant_id)s AND id = %(conversation_id)s"
    " AND status = 'active' AND (user_id = %(asking)s OR EXISTS (SELECT FROM conversations_participant p"
    " WHERE p.tenant_id = c.tenant_id AND p.conversation_id = c.id AND p.user_id = %(asking)s))"
    " RETURNING message_count) INSERT INTO conversations_message ({columns}) SELECT {values} FROM place"
    " RETURNING id, sequence_number, created_at, updated_at"
)


# Columns that differ between recorded messages; all others have their default.
RECORDED = frozenset({"tenant_id", "conversation_id", "role", "content", "user_id", "metadata"})


@cache
def _record_sql() -> tuple[str, InsertTemplate]:
    """Return the statement that stores a message, and its template."""
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
    """Append a message without requesting an answer. Needs a tenant scope.

    Returns:
        The message, or None if `user_id` does not participate or the conversation is closed.
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
    rows = run_prepared(sql, text.given(message) | {"asking": user_id})
    if not rows:
        return None
    ((message.pk, message.sequence_number, message.created_at, message.updated_at),) = rows
    message._state.adding = False
    return message


def is_active(agent: Agent) -> bool:
    """Return whether the agent may answer."""
    return agent.status == AgentStatus.ACTIVE and agent.deleted_at is None


def require_active(agent: Agent) -> None:
    """Check that the agent is active.

    Raises:
        AgentInactiveError: the agent is not active.
    """
    if not is_active(agent):
        raise AgentInactiveError(f"The agent «{agent.name}» is not active.")


def _advance(conversation: Conversation, content: str, messages: int) -> None:
    conversation.message_count += messages
    conversation.last_message_at = timezone.now()
    fields = ["message_count", "last_message_at", "updated_at"]
    if not conversation.title:
        conversation.title = build_title(content)
        fields.append("title")
    conversation.save(update_fields=fields)


def build_title(content: str) -> str:
    """Return the first line of a question, truncated to the length of a title."""
    first = content.strip().splitlines()[0] if content.strip() else ""
    return first if len(first) <= TITLE_LENGTH else f"{first[: TITLE_LENGTH - 1]}…"


def find_agent(name: str) -> Agent | None:
    """Return the scope's agent with this slug or id, or None."""
    return Agent.objects.all().named(name).first()
