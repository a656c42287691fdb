"""End of sessions: ended and idle conversations get a summary."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q
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
from conversations.services.conversations import TITLE_LENGTH, build_title
from conversations.services.extractive_summary import ConversationSummary, SummaryMessage

JOB = "conversations.tasks.summarize_session"
# Long sessions are read at the start and the end; long messages only at the start.
FIRST, LAST, MESSAGE_LENGTH = 4, 60, 4000
MAX_TOOLS = 50


class CannotEndError(ValidationError):
    """The conversation has already ended, or an answer is still in progress."""


@dataclass(frozen=True, slots=True)
class Session:
    """Input of a summary; `seen` is the number of messages that it covers."""

    conversation: Conversation
    agent: Agent | None
    messages: list[SummaryMessage]
    tools: list[str]
    calls: int
    seen: int


@transaction.atomic
def end_conversation(conversation: Conversation) -> Conversation:
    """End a conversation; a job writes its summary.

    Raises:
        CannotEndError: the conversation is closed, or an answer is still in progress.
    """
    conversation = Conversation.objects.select_for_update(of=("self",)).get(pk=conversation.pk)
    if conversation.status != ConversationStatus.ACTIVE:
        raise CannotEndError(f"This conversation is already {conversation.get_status_display().lower()}.")
    rows = Message.objects.created_after_id(conversation.pk).filter(conversation_id=conversation.pk)
    if rows.filter(status__in=[MessageStatus.PENDING, MessageStatus.AWAITING_APPROVAL]).exists():
        raise CannotEndError(
            "An answer is still in progress. Wait for it, or decide the tool calls that it waits for."
        )
    conversation.status, conversation.completed_at = ConversationStatus.COMPLETED, timezone.now()
    conversation.save(update_fields=["status", "completed_at", "updated_at"])
    record_event("conversation.ended", resource=conversation)
    defer_summary(conversation.pk)
    return conversation


def defer_summary(conversation_id: UUID) -> None:
    """Defer the summary of the conversation to a worker, once. Needs a tenant scope."""
    arguments = {"tenant_id": str(require_tenant_id()), "conversation_id": str(conversation_id)}
    defer_once(JOB, f"summary:{conversation_id}", **arguments)


def list_idle_conversations(idle: timedelta, *, within: timedelta, most: int) -> list[tuple[UUID, UUID]]:
    """Return (tenant, conversation) ids of conversations idle for `idle` without a current summary.

    Args:
        within: maximum age of the conversations.
    """
    now = timezone.now()
    summary = SessionSummary.unscoped.filter(
        conversation_id=OuterRef("pk"), message_count__gte=OuterRef("message_count")
    )
    due = Conversation.unscoped.filter(
        ~Exists(summary), message_count__gt=0, last_message_at__range=(now - within, now - idle)
    )
    return list(due.order_by("last_message_at").values_list("tenant_id", "pk")[:most])


def read_session(conversation_id: UUID) -> Session | None:
    """Return the input of a summary; None if nothing is new or an answer is in progress."""
    conversation = (
        Conversation.objects.select_related("agent__integration").filter(pk=conversation_id).first()
    )
    if conversation is None:
        return None
    summary = SessionSummary.objects.filter(conversation_id=conversation_id).first()
    if summary is not None and _covers_all(summary, conversation):
        return None
    rows = Message.objects.created_after_id(conversation_id).filter(conversation_id=conversation_id)
    if rows.filter(status=MessageStatus.PENDING).exists():
        return None
    edge = Q(sequence_number__lte=FIRST) | Q(sequence_number__gt=conversation.message_count - LAST)
    read = rows.filter(edge).order_by("sequence_number")
    messages = [
        SummaryMessage(*row) for row in read.values_list("role", Left("content", MESSAGE_LENGTH), "status")
    ]
    if not messages:
        return None
    used = _list_tool_calls(conversation_id)
    return Session(conversation, _get_agent(conversation), messages, *used, conversation.message_count)


def _covers_all(summary: SessionSummary, conversation: Conversation) -> bool:
    """Return whether the summary covers all messages and the end of the conversation."""
    ended = conversation.completed_at
    return summary.message_count >= conversation.message_count and not (ended and summary.ended_at < ended)


def _get_agent(conversation: Conversation) -> Agent | None:
    if conversation.agent is not None:
        return conversation.agent
    taking_part = Participant.objects.filter(conversation=conversation, agent__isnull=False)
    first = taking_part.select_related("agent__integration").order_by("id").first()
    return first.agent if first else None


def _list_tool_calls(conversation_id: UUID) -> tuple[list[str], int]:
    """Return the names of the called tools and the number of calls."""
    names: list[str] = []
    for calls in (ToolExecution, McpToolExecution):
        rows = calls.objects.created_after_id(conversation_id).filter(conversation_id=conversation_id)
        names += rows.order_by("id").values_list("tool_name", flat=True)
    return list(dict.fromkeys(names))[:MAX_TOOLS], len(names)


@transaction.atomic
def store_summary(
    session: Session, digest: ConversationSummary, *, tokens: int = 0, cost: Decimal = Decimal(0)
) -> bool:
    """Replace the summary, and the title unless a person set it.

    Args:
        tokens: tokens used to generate the summary.
        cost: their cost in US dollars.

    Returns:
        Whether the summary was stored; False if there are newer messages or the conversation was deleted.
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
    _update_title(conversation, session, digest)
    ended = conversation.completed_at or conversation.last_message_at or conversation.started_at
    SessionSummary.objects.update_or_create(
        conversation_id=conversation.pk,
        defaults={
            "user_id": conversation.user_id,
            "started_at": conversation.started_at,
            # Messages copied to a branch are older than the branch.
            "ended_at": max(ended, conversation.started_at),
            "message_count": session.seen,
            "total_tokens_used": conversation.total_tokens,
            "tools_used": session.tools,
            **_count_meeting_events(conversation.pk),
            **_build_columns(digest),
            "conversation_domain": (digest.domain or _find_domain(conversation.pk, digest))[:255],
        },
    )
    return True


def _find_domain(conversation_id: UUID, digest: ConversationSummary) -> str:
    """Return the most frequent subject of the answers, else the first topic."""
    rows = Message.objects.created_after_id(conversation_id).filter(conversation_id=conversation_id)
    found = (
        rows.exclude(conversation_domain="").values_list("conversation_domain").annotate(count=Count("id"))
    )
    first = found.order_by("-count", "conversation_domain").first()
    return first[0] if first else next(iter(digest.topics), "")


def _build_columns(digest: ConversationSummary) -> dict[str, Any]:
    return {
        "summary": digest.summary,
        "model": digest.model[:100],
        "key_topics": digest.topics,
        "decisions_made": digest.decisions,
        "user_preferences": digest.preferences,
        "complexity_level": digest.complexity,
        "resolution_status": digest.resolution,
        "search_keywords": digest.keywords,
        "follow_up_suggested": bool(digest.follow_ups),
        "follow_up_tasks": digest.follow_ups,
    }


def _count_meeting_events(conversation_id: UUID) -> dict[str, int]:
    """Return the numbers of plans and expert questions in its meetings."""
    events = StreamEvent.objects.created_after_id(conversation_id).filter(conversation_id=conversation_id)
    plans = events.filter(event_type=StreamType.TODO_UPDATE, phase=MeetingPhase.PLANNING)
    asked = events.filter(event_type=StreamType.PM_QUESTION)
    return {"plans_created": plans.count(), "expert_questions_asked": asked.count()}


def _update_title(conversation: Conversation, session: Session, digest: ConversationSummary) -> None:
    """Set the title, unless a person set it; the default first-question title is replaced."""
    given = build_title(session.messages[0].content)
    if conversation.title not in ("", given):
        return
    title = digest.title[:TITLE_LENGTH] or given
    if title and title != conversation.title:
        conversation.title = title
        conversation.save(update_fields=["title", "updated_at"])
