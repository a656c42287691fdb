"""Meetings of experts (promise G26): a project manager asks, experts answer, a plan is made, done and summed up.

A meeting is a row of states: each contribution is an answer of its own, and when it is there, one transaction
stores what it means, what the stream says of it, and who speaks next. Whoever holds the meeting's lease calls
`advance_meeting` again and again; called twice, it does nothing twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from agents.models import Agent
from config.db.ids import uuid7
from conversations.choices import (
    ChatMode,
    ConversationStatus,
    LeaseKind,
    MeetingPhase,
    MessageRole,
    MessageStatus,
    ParticipantRole,
    StreamType,
)
from conversations.models import Conversation, Message, Participant, SessionState, StreamEvent
from conversations.services import meeting_state as agenda
from conversations.services.conversations import ConversationClosed, require_active
from conversations.services.leases import Lease, advance, open_lease, release

MOST_EXPERTS = 8
RUNNING, COMPLETED, FAILED = "running", "completed", "failed"


class MeetingUnderway(ValidationError):
    """The conversation has a meeting that goes on."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """An answer that the meeting waits for; `lease` when this process is the one to make it."""

    conversation: Conversation
    question: Message
    answer: Message
    lease: Lease | None


@transaction.atomic
def open_meeting(
    conversation_id: UUID, *, question: str, experts: Sequence[Agent], user_id: UUID | None
) -> Message:
    """Begin a meeting about `question`, led by the conversation's agent; any process may go on with it.

    Returns:
        The question.

    Raises:
        Conversation.DoesNotExist: when the scope has no such conversation.
        ConversationClosed: when it does not go on, or somebody in it is not active.
        MeetingUnderway: when it has a meeting already.
        ValidationError: for no expert, too many, or one who is named twice.
    """
    conversation = (
        Conversation.objects.select_related("agent").select_for_update(of=("self",)).get(pk=conversation_id)
    )
    _require_ready(conversation, experts)
    session, _ = SessionState.objects.get_or_create(conversation_id=conversation_id)
    before = session.state.get("meeting_state") or {}
    if before.get("status") == RUNNING:
        raise MeetingUnderway("This conversation has a meeting that goes on.")
    _join(conversation, experts)
    asked = _add_message(conversation, role=MessageRole.USER, content=question, user_id=user_id)
    session.mode, session.phase = ChatMode.EXPERT_GROUP, MeetingPhase.QUESTIONING
    session.state = agenda.initial_state(
        session.state, asked.pk, conversation.agent, experts, after=before.get("sequence", 0)
    )
    _stream(
        session,
        StreamType.MEETING_START,
        question,
        message=asked.pk,
        **agenda.get_participants(session.state),
    )
    session.save()
    open_lease(asked, kind=LeaseKind.MEETING, held=False)
    return asked


def _require_ready(conversation: Conversation, experts: Sequence[Agent]) -> None:
    if conversation.status != ConversationStatus.ACTIVE:
        raise ConversationClosed(f"This conversation is {conversation.get_status_display().lower()}.")
    if conversation.agent is None:
        raise ConversationClosed("This conversation has no agent that leads the meeting.")
    if not 1 <= len(experts) <= MOST_EXPERTS or len({each.pk for each in experts}) < len(experts):
        raise ValidationError({"experts": f"Name one to {MOST_EXPERTS} experts, each once."})
    for agent in (conversation.agent, *experts):
        require_active(agent)


def _join(conversation: Conversation, experts: Sequence[Agent]) -> None:
    there = set(
        Participant.objects.filter(conversation=conversation, agent__isnull=False).values_list(
            "agent_id", flat=True
        )
    )
    Participant.objects.bulk_create(
        Participant(
            tenant_id=conversation.tenant_id,
            conversation=conversation,
            agent=each,
            role=ParticipantRole.AGENT,
        )
        for each in experts
        if each.pk not in there
    )


@transaction.atomic
def advance_meeting(conversation_id: UUID, lease: Lease) -> Contribution | None:
    """Store the contribution that is there, and begin the next one.

    Returns:
        What the meeting waits for; None when it has ended.

    Raises:
        LeaseLost: when another process leads the meeting.
    """
    advance(lease)
    conversation = Conversation.objects.select_for_update().get(pk=conversation_id)
    session = SessionState.objects.select_for_update().get(conversation_id=conversation_id)
    messages = Message.objects.created_after_id(conversation_id)
    question = messages.get(pk=lease.message_id)
    if waiting := agenda.get_current_step(session.state):
        answer = messages.get(pk=waiting["answer"])
        if answer.status == MessageStatus.PENDING:
            return Contribution(conversation, question, answer, None)
        _settle(session, waiting, answer)
    step = agenda.next_step(session.state, question.content)
    if step is None:
        _close(session, lease, COMPLETED)
        return None
    return _begin(conversation, session, question, step)


@transaction.atomic
def fail_meeting(conversation_id: UUID, lease: Lease) -> None:
    """End a meeting that killed one process after the other."""
    session = SessionState.objects.select_for_update().get(conversation_id=conversation_id)
    _close(session, lease, FAILED)


def _close(session: SessionState, lease: Lease, status: str) -> None:
    release(lease)
    agenda.get_meeting(session.state)["status"] = status
    _stream(session, StreamType.STREAM_COMPLETE, "", status=status)
    session.save()


def _begin(
    conversation: Conversation, session: SessionState, question: Message, step: agenda.NextStep
) -> Contribution:
    agent = Agent.objects.get(pk=step.agent_id)
    answer = _add_message(
        conversation,
        role=MessageRole.ASSISTANT,
        status=MessageStatus.PENDING,
        agent_id=agent.pk,
        reply_to_id=question.pk,
        model=agent.model_name,
        plan_step=step.task,
        metadata={"phase": step.phase, "prompt": step.prompt},
    )
    session.phase = step.phase
    agenda.wait_for(session.state, step, answer.pk)
    session.save()
    return Contribution(conversation, question, answer, open_lease(answer))


def _settle(session: SessionState, waiting: dict[str, Any], answer: Message) -> None:
    """What a contribution means for the meeting, and what the stream says of it."""
    for told in agenda.apply_contribution(session.state, waiting, answer):
        _stream(session, told.kind, told.content, told.expert, message=answer.pk, **told.data)


def _stream(
    session: SessionState,
    kind: str,
    content: str,
    expert: str = "",
    *,
    message: UUID | None = None,
    **data: Any,
) -> None:
    metadata = data | ({"message": str(message)} if message else {})
    StreamEvent(
        conversation_id=session.conversation_id,
        sequence_number=agenda.get_next_position(session.state),
        event_type=kind,
        phase=session.phase,
        expert_name=expert,
        message={"role": "assistant", "content": content, "metadata": metadata},
    ).save(force_insert=True)


def _add_message(conversation: Conversation, **fields: Any) -> Message:
    conversation.message_count += 1
    conversation.last_message_at = timezone.now()
    conversation.save(update_fields=["message_count", "last_message_at", "updated_at"])
    message = Message(
        id=uuid7(),
        tenant_id=conversation.tenant_id,
        conversation_id=conversation.pk,
        sequence_number=conversation.message_count,
        **fields,
    )
    message.save(force_insert=True)
    return message


def events_after(conversation_id: UUID, place: int, limit: int = 1000) -> list[StreamEvent]:
    """What the meetings of a conversation streamed after the place, in its order."""
    rows = StreamEvent.objects.created_after_id(conversation_id).filter(
        conversation_id=conversation_id, answer_id=None, sequence_number__gt=place
    )
    return list(rows.order_by("sequence_number")[:limit])


def as_chunk(event: StreamEvent) -> dict[str, Any]:
    """An event as it is streamed."""
    return {
        "type": event.event_type,
        "phase": event.phase,
        "expert": event.expert_name,
        "content": event.message["content"],
        **event.message["metadata"],
    }


def rebuild_meeting(conversation_id: UUID) -> dict[str, Any] | None:
    """The latest meeting of a conversation as the database has it; None when it had none.

    `chunks` is what was streamed, in its order. What was said comes from the messages, what was decided from the
    state; the stream's rows only say what came when.
    """
    session = SessionState.objects.filter(conversation_id=conversation_id).first()
    meeting = agenda.get_meeting(session.state) if session else None
    if not session or not meeting:
        return None
    rows = Message.objects.created_after_id(conversation_id).filter(conversation_id=conversation_id)
    said = {str(pk): content for pk, content in rows.values_list("pk", "content")}
    chunks = [as_chunk(event) for event in events_after(conversation_id, meeting["first"] - 1, 10_000)]
    for chunk in chunks:
        if chunk["type"] in agenda.WHOLE_MESSAGES:
            chunk["content"] = said[chunk["message"]]
    return {
        "status": meeting["status"],
        "phase": session.phase,
        "question": meeting["question"],
        "manager": meeting["manager"],
        "experts": meeting["experts"],
        "questions": meeting["questions"],
        "todo_list": session.state["todo_list"],
        "first": meeting["first"],
        "last": meeting["sequence"],
        "summary": said.get(meeting["summary"] or "", ""),
        "chunks": chunks,
    }
