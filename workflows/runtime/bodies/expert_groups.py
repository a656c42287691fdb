"""Body of `expert_group` steps: a meeting of agents, which a job runs to its end."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError
from django.utils import timezone

from config.db.errors import exceeds_limit
from conversations.choices import MeetingPhase
from conversations.meetings.runner import begin_meeting
from conversations.models import Conversation, SessionState
from conversations.runtime.journal import strip_unstorable_json
from conversations.services.conversations import start_conversation
from conversations.services.meeting_state import MeetingAgenda, get_meeting
from conversations.services.meetings import COMPLETED, RUNNING, rebuild_meeting
from workflows.choices import StepKind
from workflows.runtime.outside_calls import require_text
from workflows.runtime.step_bodies import StepContext, StepError, StepResult, Wait, register_body
from workflows.runtime.step_conversations import (
    LIMIT_CODE,
    LIMIT_MESSAGE,
    LIMIT_SECONDS,
    LOOK_AGAIN,
    get_link,
    require_agent,
)
from workflows.services.waiting_steps import StepLink, defer_wake


@register_body(StepKind.EXPERT_GROUP)
def run_expert_group(context: StepContext) -> StepResult | Wait:
    """Start the meeting, or find that of a process that died, and wait for its end."""
    context.check_cancelled()
    link = get_link(context)
    try:
        with context.scope():
            if not context.waited and not Conversation.objects.filter(pk=link.conversation_id).exists():
                _begin(context, link)
    except IntegrityError:
        # A worker that was taken over has just started the meeting.
        pass
    except DatabaseError as error:
        if exceeds_limit(error):
            raise StepError(LIMIT_CODE, LIMIT_MESSAGE, retry_after=LIMIT_SECONDS) from error
        raise
    except ValidationError as error:
        raise StepError("invalid_input", "; ".join(error.messages), retryable=False) from error
    with context.scope():
        result = _build_result(link.conversation_id)
    wake = partial(_wake_if_ended, context.tenant_id, link)
    return result or Wait(timezone.now() + LOOK_AGAIN, f"meeting:{link.conversation_id}", wake)


def _begin(context: StepContext, link: StepLink) -> None:
    """Start the conversation of the first agent, and the meeting of the others, or of the first alone."""
    names = context.config.get("agents") or []
    leader, *others = [require_agent(name) for name in dict.fromkeys(names)] or [require_agent(None)]
    topic = strip_unstorable_json(require_text(context, "topic"))
    conversation = start_conversation(
        leader,
        user_id=context.user_id,
        metadata={**link.render(), "flow_id": str(context.execution_id)},
        conversation_id=link.conversation_id,
    )
    begin_meeting(
        conversation.pk,
        question=topic,
        experts=others or [leader],
        user_id=context.user_id,
        agenda=_build_agenda(context.config),
    )


def _build_agenda(config: Mapping[str, Any]) -> MeetingAgenda:
    # The definition language has checked both.
    return MeetingAgenda(
        tuple(config.get("phases") or MeetingPhase.values), max_rounds=config.get("max_rounds") or 1
    )


def _build_result(conversation_id: UUID) -> StepResult | None:
    """Return the result of the meeting in this conversation, or None while it runs.

    Raises:
        StepError: the meeting failed, or was deleted.
    """
    session = SessionState.objects.filter(conversation_id=conversation_id).first()
    if session is not None and get_meeting(session.state).get("status") == RUNNING:
        return None
    meeting = rebuild_meeting(conversation_id)
    if meeting is None:
        raise StepError("conversation_deleted", "The conversation of the step was deleted.", retryable=False)
    if meeting["status"] != COMPLETED:
        raise StepError("meeting_failed", "The processes that ran the meeting stopped repeatedly.")
    output = {
        "summary": meeting["summary"],
        "todos": [_render_task(task, meeting["experts"]) for task in meeting["todo_list"]],
        "conversation_id": str(conversation_id),
    }
    return StepResult(output, metadata={"conversation_id": str(conversation_id)})


def _render_task(task: dict[str, Any], experts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"task": task["task"], "expert": experts[task["expert"]]["name"], "status": task["status"]}


def _wake_if_ended(tenant_id: UUID, link: StepLink) -> None:
    """Wake the step after this transaction if the meeting ended before the wait was stored.

    Called in the transaction that stores the wait. The lock on the session orders it before or after the end.
    """
    rows = SessionState.objects.select_for_update().filter(conversation_id=link.conversation_id)
    session = rows.first()
    if session is None or get_meeting(session.state).get("status") != RUNNING:
        defer_wake(tenant_id, link.step_execution_id)
