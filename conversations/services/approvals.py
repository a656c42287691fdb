"""Calls of tools that wait for a person: parking them, and what the person decides."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from audit.services.events import record_event
from conversations.choices import MessageStatus, ToolStatus
from conversations.models import Message, ToolExecution
from conversations.services.leases import open_lease

UNDECIDED = "This call does not wait for a decision."


class NotWaiting(ValidationError):
    """The call was decided already, or never waited."""


@dataclass(frozen=True, slots=True)
class WaitingCall:
    """A call that a model asked for: its own id of it, the tool and what the tool is to be given."""

    call_id: str
    tool_name: str
    arguments: dict[str, Any]


@transaction.atomic
def park_answer(
    answer_id: UUID, conversation_id: UUID, *, agent_id: UUID, calls: list[WaitingCall]
) -> Message:
    """Let the answer wait until each of `calls` is decided."""
    answer = Message.objects.created_after_id(conversation_id).select_for_update().get(pk=answer_id)
    if answer.status != MessageStatus.PENDING:
        return answer
    for call in calls:
        ToolExecution(
            conversation_id=conversation_id,
            message_id=answer_id,
            agent_id=agent_id,
            tool_name=call.tool_name,
            tool_input=call.arguments,
            call_id=call.call_id,
            status=ToolStatus.AWAITING_APPROVAL,
        ).save(force_insert=True)
    answer.status = MessageStatus.AWAITING_APPROVAL
    answer.save(update_fields=["status", "updated_at"])
    return answer


@transaction.atomic
def decide_call(execution: ToolExecution, *, allow: bool, actor: UUID | None, reason: str = "") -> bool:
    """Allow or refuse a waiting call.

    Args:
        actor: the person who decides; None: nobody did in time.
        reason: why it is refused; the model is told.

    Returns:
        Whether every call of the answer is decided now, so that the turn can go on: to one caller only. Should that
        one die, a worker goes on.

    Raises:
        NotWaiting: when somebody decided before.
    """
    # The answer's lock makes one of two deciders the last one.
    messages = Message.objects.created_after_id(execution.conversation_id)
    answer = messages.select_for_update().get(pk=execution.message_id)
    waiting = _calls(answer).filter(status=ToolStatus.AWAITING_APPROVAL)
    decided = waiting.filter(pk=execution.pk).update(
        status=ToolStatus.APPROVED if allow else ToolStatus.DENIED,
        decided_by_id=actor,
        decided_at=timezone.now(),
        error_message="" if allow else reason or "A person refused this call.",
    )
    if not decided:
        raise NotWaiting(UNDECIDED)
    record_event(
        "tool.approved" if allow else "tool.denied",
        resource=execution,
        metadata={"tool": execution.tool_name, "conversation": str(execution.conversation_id)},
    )
    if waiting.exists():
        return False
    answer.status = MessageStatus.PENDING
    answer.save(update_fields=["status", "updated_at"])
    open_lease(answer, held=False)
    return True


def _calls(answer: Message) -> Any:
    rows = ToolExecution.objects.created_after_id(answer.conversation_id)
    return rows.filter(message_id=answer.pk)


def decided_calls(conversation_id: UUID, answer_id: UUID, call_ids: list[str]) -> list[ToolExecution]:
    """Those of the answer's calls that a person decided, whatever became of them since, oldest first."""
    rows = ToolExecution.objects.created_after_id(conversation_id).filter(message_id=answer_id)
    return list(rows.filter(call_id__in=call_ids, decided_at__isnull=False).order_by("pk"))
