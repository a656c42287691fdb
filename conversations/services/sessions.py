"""Ends of sessions: a conversation that a person ends, or that nobody goes on with, gets its summary."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Left
from django.utils import timezone

from agents.models import Agent
from audit.services.events import record_event
from config.jobs import defer_once
from config.tenancy.scope import require_tenant_id
from conversations.choices import ConversationStatus, MeetingPhase, MessageStatus, StreamType
from conversations.models import (
    Conversation,
    McpToolExecution,
    Message,
    Participant,
    SessionSummary,
    StreamEvent,
    ToolExecution,
)
from conversations.services.conversations import TITLE_LENGTH, title_of
from conversations.services.extractive_summary import ConversationSummary, SummaryMessage

JOB = "conversations.tasks.summarize_session"
# Of long sessions the beginning and the end are read, of long messages the beginning.
FIRST, LAST, MESSAGE_LENGTH = 4, 60, 4000
MOST_TOOLS = 50


class NotEnding(ValidationError):
    """The conversation has ended already, or an answer is still made in it."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a summary is made of; `seen` is the number of messages that it speaks of."""

    conversation: Conversation
    agent: Agent | None
    said: list[SummaryMessage]
    tools: list[str]
    calls: int
    seen: int


@transaction.atomic
def end_conversation(conversation: Conversation) -> Conversation:
    """Complete a conversation; a job makes its summary.

    Raises:
        NotEnding: when it does not go on, or an answer is still made in it.
    """
    conversation = Conversation.objects.select_for_update(of=("self",)).get(pk=conversation.pk)
    if conversation.status != ConversationStatus.ACTIVE:
        raise NotEnding(f"This conversation is {conversation.get_status_display().lower()} already.")
    rows = Message.objects.created_after_id(conversation.pk).filter(conversation_id=conversation.pk)
    if rows.filter(status__in=[MessageStatus.PENDING, MessageStatus.AWAITING_APPROVAL]).exists():
        raise NotEnding("An answer is still made; wait for it, or decide what it waits for.")
    conversation.status, conversation.completed_at = ConversationStatus.COMPLETED, timezone.now()
    conversation.save(update_fields=["status", "completed_at", "updated_at"])
    record_event("conversation.ended", resource=conversation)
    summarize_later(conversation.pk)
    return conversation


def summarize_later(conversation_id: UUID) -> None:
    """Let a worker summarize the conversation; needs the tenant's scope. Once is enough."""
    arguments = {"tenant_id": str(require_tenant_id()), "conversation_id": str(conversation_id)}
    defer_once(JOB, f"summary:{conversation_id}", **arguments)


def idle_conversations(idle: timedelta, *, within: timedelta, most: int) -> list[tuple[UUID, UUID]]:
    """(tenant, conversation) of those whose last message is older than `idle`, and that no summary speaks of.

    Args:
        within: how far back they are looked for.
    """
    now = timezone.now()
    told = SessionSummary.unscoped.filter(
        conversation_id=OuterRef("pk"), message_count__gte=OuterRef("message_count")
    )
    due = Conversation.unscoped.filter(
        ~Exists(told), message_count__gt=0, last_message_at__range=(now - within, now - idle)
    )
    return list(due.order_by("last_message_at").values_list("tenant_id", "pk")[:most])


def read_session(conversation_id: UUID) -> Session | None:
    """What there is to summarize; None when nothing is, or a summary speaks of all of it, or an answer is made."""
    conversation = (
        Conversation.objects.select_related("agent__integration").filter(pk=conversation_id).first()
    )
    if conversation is None:
        return None
    told = SessionSummary.objects.filter(conversation_id=conversation_id).first()
    if told is not None and _tells_all(told, conversation):
        return None
    rows = Message.objects.created_after_id(conversation_id).filter(conversation_id=conversation_id)
    if rows.filter(status=MessageStatus.PENDING).exists():
        return None
    edge = Q(sequence_number__lte=FIRST) | Q(sequence_number__gt=conversation.message_count - LAST)
    read = rows.filter(edge).order_by("sequence_number")
    said = [
        SummaryMessage(*row) for row in read.values_list("role", Left("content", MESSAGE_LENGTH), "status")
    ]
    if not said:
        return None
    used = _used(conversation_id)
    return Session(conversation, _speaker(conversation), said, *used, conversation.message_count)


def _tells_all(told: SessionSummary, conversation: Conversation) -> bool:
    """Whether nothing was said since, and nobody ended it since."""
    ended = conversation.completed_at
    return told.message_count >= conversation.message_count and not (ended and told.ended_at < ended)


def _speaker(conversation: Conversation) -> Agent | None:
    if conversation.agent is not None:
        return conversation.agent
    taking_part = Participant.objects.filter(conversation=conversation, agent__isnull=False)
    first = taking_part.select_related("agent__integration").order_by("id").first()
    return first.agent if first else None


def _used(conversation_id: UUID) -> tuple[list[str], int]:
    """Names of the tools that were called, and how many calls there were."""
    names: list[str] = []
    for calls in (ToolExecution, McpToolExecution):
        rows = calls.objects.created_after_id(conversation_id).filter(conversation_id=conversation_id)
        names += rows.order_by("id").values_list("tool_name", flat=True)
    return list(dict.fromkeys(names))[:MOST_TOOLS], len(names)


@transaction.atomic
def store_summary(
    session: Session, digest: ConversationSummary, *, tokens: int = 0, cost: Decimal = Decimal(0)
) -> bool:
    """Keep a summary in place of the one before, and a title where the conversation has none of a person's.

    Args:
        tokens: what making it used.
        cost: what that cost, in US dollars.

    Returns:
        Whether it was kept; not when more was said meanwhile, or the conversation is gone.
    """
    rows = Conversation.objects.select_for_update(of=("self",))
    conversation = rows.filter(pk=session.conversation.pk).first()
    if conversation is None:
        return False
    if tokens:
        conversation.total_tokens += tokens
        conversation.total_cost += cost
        conversation.save(update_fields=["total_tokens", "total_cost", "updated_at"])
    if conversation.message_count != session.seen:
        return False
    _title(conversation, session, digest)
    ended = conversation.completed_at or conversation.last_message_at or conversation.started_at
    SessionSummary.objects.update_or_create(
        conversation_id=conversation.pk,
        defaults={
            "user_id": conversation.user_id,
            "started_at": conversation.started_at,
            # What a branch took over was said before it began.
            "ended_at": max(ended, conversation.started_at),
            "message_count": session.seen,
            "total_tokens_used": conversation.total_tokens,
            "tools_used": session.tools,
            **_streamed(conversation.pk),
            **_columns(digest),
        },
    )
    return True


def _columns(digest: ConversationSummary) -> dict[str, Any]:
    return {
        "summary": digest.summary,
        "model": digest.model[:100],
        "conversation_domain": digest.domain[:255],
        "key_topics": digest.topics,
        "decisions_made": digest.decisions,
        "user_preferences": digest.preferences,
        "complexity_level": digest.complexity,
        "resolution_status": digest.resolution,
        "search_keywords": digest.keywords,
        "follow_up_suggested": bool(digest.follow_ups),
        "follow_up_tasks": digest.follow_ups,
    }


def _streamed(conversation_id: UUID) -> dict[str, int]:
    """What its meetings streamed: plans made, questions put to experts."""
    events = StreamEvent.objects.created_after_id(conversation_id).filter(conversation_id=conversation_id)
    plans = events.filter(event_type=StreamType.TODO_UPDATE, phase=MeetingPhase.PLANNING)
    asked = events.filter(event_type=StreamType.PM_QUESTION)
    return {"plans_created": plans.count(), "expert_questions_asked": asked.count()}


def _title(conversation: Conversation, session: Session, digest: ConversationSummary) -> None:
    """A title that a person gave stays; one that is the first question makes way for a model's."""
    given = title_of(session.said[0].content)
    if conversation.title not in ("", given):
        return
    title = digest.title[:TITLE_LENGTH] or given
    if title and title != conversation.title:
        conversation.title = title
        conversation.save(update_fields=["title", "updated_at"])
