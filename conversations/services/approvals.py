"""Approval of tool calls: park calls and record decisions."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from audit.services.events import record_event
from config.tenancy.scope import require_scope
from conversations.choices import MessageStatus, ToolStatus
from conversations.models import Message, ToolExecution
from conversations.services.leases import open_lease
from tenants.event_types import ApprovalRequestedEvent
from tenants.services.outbox import publish

UNDECIDED = "This tool call is not waiting for approval."


class NotAwaitingApprovalError(ValidationError):
    """The tool call is already decided or never required approval."""


@dataclass(frozen=True, slots=True)
class WaitingCall:
    """A tool call requested by a model: the model's call id, the tool and its input."""

    call_id: str
    tool_name: str
    arguments: dict[str, Any]


@transaction.atomic
def park_answer(
    answer_id: UUID, conversation_id: UUID, *, agent_id: UUID, calls: list[WaitingCall]
) -> Message:
    """Park the answer until each of `calls` is decided."""
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
    tools = list(dict.fromkeys(call.tool_name for call in calls))
    scope = require_scope()
    publish(
        ApprovalRequestedEvent(
            conversation_id=conversation_id, message_id=answer_id, tools=tools, user_id=scope.user_id
        )
    )
    return answer


@transaction.atomic
def decide_call(execution: ToolExecution, *, allow: bool, actor: UUID | None, reason: str = "") -> bool:
    """Approve or deny a waiting tool call.

    Args:
        actor: the person who decides, or None if the approval expired.
        reason: why the call is denied; passed to the model.

    Returns:
        Whether all calls of the answer are decided, so that the turn can resume. Only one caller gets True. If its
        process dies, a worker resumes the turn.

    Raises:
        NotAwaitingApprovalError: the call is already decided.
    """
    # Lock the answer so that exactly one of two concurrent deciders is the last.
    messages = Message.objects.created_after_id(execution.conversation_id)
    answer = messages.select_for_update().get(pk=execution.message_id)
    waiting = _calls(answer).filter(status=ToolStatus.AWAITING_APPROVAL)
    decided = waiting.filter(pk=execution.pk).update(
        status=ToolStatus.APPROVED if allow else ToolStatus.DENIED,
        decided_by_id=actor,
        decided_at=timezone.now(),
        error_message="" if allow else reason or "A person denied this tool call.",
    )
    if not decided:
        raise NotAwaitingApprovalError(UNDECIDED)
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


def list_decided_calls(conversation_id: UUID, answer_id: UUID, call_ids: list[str]) -> list[ToolExecution]:
    """Return the answer's decided tool calls in any later status, oldest first."""
    rows = ToolExecution.objects.created_after_id(conversation_id).filter(message_id=answer_id)
    return list(rows.filter(call_id__in=call_ids, decided_at__isnull=False).order_by("pk"))
