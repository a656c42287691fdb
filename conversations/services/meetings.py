"""Expert meetings (promise G26): questions, expert answers, a plan, its execution and a summary.

A meeting is a state machine. Each contribution is a separate answer. After it completes, one transaction stores its
effect, its stream events and the next step. The holder of the meeting's lease calls `advance_meeting` repeatedly;
the call is idempotent.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from agents.models import Agent
from agents.services.factory_prompts import build_renderer
from config.db.ids import uuid7
from conversations.choices import (
    ChatMode,
    LeaseKind,
    MeetingPhase,
    MessageRole,
    MessageStatus,
    ParticipantRole,
    StreamType,
)
from conversations.models import Conversation, Message, Participant, SessionState, StreamEvent
from conversations.services import meeting_state
from conversations.services.conversations import (
    BegunTurn,
    ConversationClosedError,
    lock_conversation,
    require_active,
)
from conversations.services.feedback import PROMPT_KEY
from conversations.services.forks import COPIED_MODES
from conversations.services.leases import Lease, advance, open_lease, release
from conversations.signals import meeting_ended

MAX_EXPERTS = 8
# Key of the session's state: the chat mode to restore after the meeting.
CHAT_MODE = "chat_mode"
RUNNING, COMPLETED, FAILED = "running", "completed", "failed"


class MeetingRunningError(ValidationError):
    """The conversation has a running meeting."""


@transaction.atomic
def open_meeting(
    conversation_id: UUID,
    *,
    question: str,
    experts: Sequence[Agent],
    user_id: UUID | None,
    agenda: meeting_state.MeetingAgenda | None = None,
) -> Message:
    """Start a meeting about `question`, led by the conversation's agent; any process may run it.

    Without an agenda the meeting has all phases and one round.

    Returns:
        The question.

    Raises:
        Conversation.DoesNotExist: the scope has no such conversation.
        ConversationClosedError: the conversation is closed, or an agent is not active.
        MeetingRunningError: the conversation already has a running meeting.
        ValidationError: there are no experts, too many, or duplicates.
    """
    conversation = lock_conversation(conversation_id)
    _require_experts(conversation, experts)
    session, _ = SessionState.objects.get_or_create(conversation_id=conversation_id)
    before = session.state.get("meeting_state") or {}
    if before.get("status") == RUNNING:
        raise MeetingRunningError("This conversation already has a running meeting. Wait until it ends.")
    _join(conversation, experts)
    asked = _add_message(conversation, role=MessageRole.USER, content=question, user_id=user_id)
    if session.mode in COPIED_MODES:
        session.state[CHAT_MODE] = session.mode
    session.mode, session.phase = ChatMode.EXPERT_GROUP, MeetingPhase.QUESTIONING
    agenda, after = agenda or meeting_state.MeetingAgenda(), before.get("sequence", 0)
    who = asked.pk, conversation.agent, experts
    session.state = meeting_state.initial_state(session.state, *who, after=after, agenda=agenda)
    participants = meeting_state.get_participants(session.state)
    _stream(session, StreamType.MEETING_START, question, message=asked.pk, **participants)
    session.save()
    open_lease(asked, kind=LeaseKind.MEETING, held=False)
    return asked


def _require_experts(conversation: Conversation, experts: Sequence[Agent]) -> None:
    if conversation.agent is None:
        raise ConversationClosedError("This conversation has no agent to lead the meeting.")
    if not 1 <= len(experts) <= MAX_EXPERTS or len({each.pk for each in experts}) < len(experts):
        raise ValidationError({"experts": f"List 1 to {MAX_EXPERTS} different experts."})
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
def advance_meeting(conversation_id: UUID, lease: Lease) -> BegunTurn | None:
    """Store the completed contribution and start the next one.

    Returns:
        The contribution that the meeting waits for, with a lease if this process generates it; None if the meeting
        has ended.

    Raises:
        LeaseLostError: another process runs the meeting.
    """
    advance(lease)
    conversation = Conversation.objects.select_for_update().get(pk=conversation_id)
    session = SessionState.objects.select_for_update().get(conversation_id=conversation_id)
    messages = Message.objects.created_after_id(conversation_id)
    question = messages.get(pk=lease.message_id)
    if waiting := meeting_state.get_meeting(session.state)["step"]:
        answer = messages.get(pk=waiting["answer"])
        if answer.status == MessageStatus.PENDING:
            return BegunTurn(conversation, question, answer)
        _settle(session, waiting, answer)
    step = meeting_state.next_step(session.state, question.content, build_renderer(question.user_id))
    if step is None:
        _close(session, lease, COMPLETED)
        return None
    return _begin(conversation, session, question, step)


@transaction.atomic
def fail_meeting(conversation_id: UUID, lease: Lease) -> None:
    """End a meeting whose processes died repeatedly."""
    session = SessionState.objects.select_for_update().get(conversation_id=conversation_id)
    _close(session, lease, FAILED)


def _close(session: SessionState, lease: Lease, status: str) -> None:
    release(lease)
    meeting_state.get_meeting(session.state)["status"] = status
    # Later questions are answered as before the meeting.
    session.mode = session.state.pop(CHAT_MODE, session.mode)
    _stream(session, StreamType.STREAM_COMPLETE, "", status=status)
    session.save()
    meeting_ended.send(SessionState, conversation_id=session.conversation_id)


def _begin(
    conversation: Conversation, session: SessionState, question: Message, step: meeting_state.NextStep
) -> BegunTurn:
    agent = Agent.objects.get(pk=step.agent_id)
    answer = _add_message(
        conversation,
        role=MessageRole.ASSISTANT,
        status=MessageStatus.PENDING,
        agent_id=agent.pk,
        reply_to_id=question.pk,
        model=agent.model_name,
        plan_step=step.task,
        metadata={"phase": step.phase, "prompt": step.prompt, **_get_prompt_metadata(step)},
    )
    session.phase = step.phase
    meeting_state.wait_for(session.state, step, answer.pk)
    session.save()
    return BegunTurn(conversation, question, answer, open_lease(answer))


def _get_prompt_metadata(step: meeting_state.NextStep) -> dict[str, str]:
    # Feedback on the contribution counts for its prompt.
    return {PROMPT_KEY: str(step.prompt_id)} if step.prompt_id else {}


def _settle(session: SessionState, waiting: dict[str, Any], answer: Message) -> None:
    """Apply a contribution to the meeting and store its stream events."""
    for event in meeting_state.apply_contribution(session.state, waiting, answer):
        _stream(session, event.kind, event.content, event.expert, message=answer.pk, **event.data)


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
        sequence_number=meeting_state.get_next_position(session.state),
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


def list_events_after(conversation_id: UUID, place: int, limit: int = 1000) -> list[StreamEvent]:
    """Return the meeting events of a conversation after `place`, in order."""
    rows = StreamEvent.objects.created_after_id(conversation_id).filter(
        conversation_id=conversation_id, answer_id=None, sequence_number__gt=place
    )
    return list(rows.order_by("sequence_number")[:limit])


def render_event(event: StreamEvent) -> dict[str, Any]:
    """Return the streamed form of an event."""
    return {
        "type": event.event_type,
        "phase": event.phase,
        "expert": event.expert_name,
        "content": event.message["content"],
        **event.message["metadata"],
    }


def rebuild_meeting(conversation_id: UUID) -> dict[str, Any] | None:
    """Rebuild the latest meeting of a conversation from the database, or return None.

    `chunks` holds the streamed events in order. Texts come from the messages and decisions from the state; the rows
    of the stream only provide the order.
    """
    session = SessionState.objects.filter(conversation_id=conversation_id).first()
    meeting = meeting_state.get_meeting(session.state) if session else None
    if not session or not meeting:
        return None
    rows = Message.objects.created_after_id(conversation_id).filter(conversation_id=conversation_id)
    said = {str(pk): content for pk, content in rows.values_list("pk", "content")}
    chunks = [
        render_event(event) for event in list_events_after(conversation_id, meeting["first"] - 1, 10_000)
    ]
    for chunk in chunks:
        if chunk["type"] in meeting_state.WHOLE_MESSAGES:
            # Messages can be erased.
            chunk["content"] = said.get(chunk.get("message", ""), chunk["content"])
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
