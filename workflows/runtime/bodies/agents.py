"""Body of `agent` steps: a turn of an agent, as in chat.

The turn is journaled with its answer. If the process dies, the next one repeats at most the call that was under way.
"""

import json
import time
from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError
from django.utils import timezone

from config.db.errors import exceeds_limit
from config.tenancy.scope import tenant_scope
from conversations.choices import MessageRole, MessageStatus, ToolStatus
from conversations.models import Conversation, Message, ToolExecution
from conversations.runtime.answer_options import AnswerOptions, get_answer_options
from conversations.runtime.exceptions import TurnError
from conversations.runtime.journal import strip_unstorable_json
from conversations.runtime.loop import run_turn
from conversations.runtime.recovery import resume_answer
from conversations.runtime.structured_output import validate_schema
from conversations.runtime.turns import TurnContext, load_turn
from conversations.services.approvals import decide_call
from conversations.services.conversations import begin_turn, start_conversation
from conversations.services.leases import fail_answer, get_lease, take_over
from workflows.choices import StepKind
from workflows.runtime.outside_calls import require_text
from workflows.runtime.step_bodies import (
    StepCancelledError,
    StepContext,
    StepError,
    StepResult,
    Wait,
    register_body,
)
from workflows.runtime.step_conversations import (
    LIMIT_CODE,
    LIMIT_MESSAGE,
    LIMIT_SECONDS,
    LOOK_AGAIN,
    find_version,
    get_caller,
    get_link,
    require_agent,
)
from workflows.services.step_rows import get_run_input, is_running
from workflows.services.waiting_steps import StepLink, defer_wake

POLL_SECONDS = 0.5
ACTOR = "system:workflows"
# Errors of answers after which another attempt can succeed.
RETRYABLE_CODES = frozenset(
    {"interrupted", "internal", "rate_limited", "search_failed", "server_error", "timeout", "unreachable"}
)
CANCELLED, CANCELLED_MESSAGE = "cancelled", "The step of the workflow was cancelled."
ENDED = frozenset({MessageStatus.COMPLETED, MessageStatus.FAILED})


@register_body(StepKind.AGENT)
def run_agent(context: StepContext) -> StepResult | Wait:
    """Run the agent's turn, or continue that of a process that died; wait while people decide on tool calls."""
    context.check_cancelled()
    answer = _start_turn(context) or _get_answer(context)
    while answer.status == MessageStatus.PENDING:
        _check_cancelled(context, answer)
        if resume_answer(context.tenant_id, answer.pk, prepare=partial(_watch, context)) is None:
            # Another process generates the answer, or has just ended it.
            time.sleep(POLL_SECONDS)
        answer = _get_answer(context)
    if answer.status == MessageStatus.AWAITING_APPROVAL:
        wake = partial(_wake_if_ended, context.tenant_id, get_link(context))
        return Wait(timezone.now() + LOOK_AGAIN, f"answer:{answer.pk}", wake)
    if answer.error_code == CANCELLED:
        raise StepCancelledError
    return _build_result(answer)


def _start_turn(context: StepContext) -> Message | None:
    """Run a new turn and return its answer, or None if the attempt already has a conversation."""
    options = _build_options(context.config)
    try:
        with context.scope():
            turn = _begin_turn(context, options)
    except IntegrityError:
        # A worker that was taken over has just stored the conversation.
        return None
    except DatabaseError as error:
        if exceeds_limit(error):
            raise StepError(LIMIT_CODE, LIMIT_MESSAGE, retry_after=LIMIT_SECONDS) from error
        raise
    except ValidationError as error:
        raise StepError("invalid_input", "; ".join(error.messages), retryable=False) from error
    if turn is None:
        return None
    _watch(context, turn)
    return run_turn(turn)


def _begin_turn(context: StepContext, options: AnswerOptions) -> TurnContext | None:
    link, caller = get_link(context), get_caller(context)
    if context.waited or Conversation.objects.filter(pk=link.conversation_id).exists():
        return None
    agent = require_agent(context.config.get("agent"))
    metadata = link.render()
    conversation = start_conversation(
        agent,
        user_id=context.user_id,
        version=find_version(agent, context.config.get("version")),
        # The usage rows of the turn name the run.
        metadata={**metadata, "flow_id": str(context.execution_id)},
        conversation_id=link.conversation_id,
    )
    begun = begin_turn(
        conversation.pk,
        content=_get_prompt(context),
        user_id=context.user_id,
        answer_metadata={**metadata, **options.render()},
    )
    return load_turn(begun, caller)


def _get_prompt(context: StepContext) -> str:
    """Return the prompt; without one, the step's input or that of the run as JSON."""
    if context.config.get("prompt"):
        return str(strip_unstorable_json(require_text(context, "prompt")))
    given = context.config.get("input")
    if not given:
        given = get_run_input(context.execution_id)
    return json.dumps(strip_unstorable_json(given or {}), ensure_ascii=False)


def _build_options(config: Mapping[str, Any]) -> AnswerOptions:
    budget = config.get("budget") or {}
    schema = config.get("output_schema")
    if schema is not None and (problem := validate_schema(schema)):
        raise StepError("invalid_input", problem, retryable=False)
    cost = budget.get("cost")
    return AnswerOptions(
        output_schema=schema,
        max_turns=config.get("max_turns"),
        tokens=budget.get("tokens"),
        cost=None if cost is None else str(cost),
    )


def _get_answer(context: StepContext) -> Message:
    link = get_link(context)
    with context.scope():
        answer = _find_answer(link.conversation_id)
    if answer is None:
        raise StepError("conversation_deleted", "The conversation of the step was deleted.", retryable=False)
    return answer


def _find_answer(conversation_id: UUID) -> Message | None:
    """Return the first answer of the conversation; a person may have asked further questions."""
    rows = Message.objects.created_after_id(conversation_id).filter(
        conversation_id=conversation_id, role=MessageRole.ASSISTANT
    )
    return rows.order_by("sequence_number").first()


def _watch(context: StepContext, turn: TurnContext) -> None:
    """End the turn before its next request to a model if the step is cancelled."""
    rest = turn.meter.rest

    def check() -> None:
        try:
            context.check_cancelled()
        except StepCancelledError as error:
            # A worker that took the step over waits for this turn.
            if not _is_running(context):
                raise TurnError(CANCELLED, CANCELLED_MESSAGE) from error
        finally:
            if rest:
                rest()

    turn.meter.rest = check


def _is_running(context: StepContext) -> bool:
    with context.scope():
        return is_running(context.step_execution_id)


def _check_cancelled(context: StepContext, answer: Message) -> None:
    """Check whether the step is cancelled; if so, end an answer that no process generates."""
    try:
        context.check_cancelled()
    except StepCancelledError:
        if not _is_running(context):
            with tenant_scope(context.tenant_id, actor=ACTOR):
                if row := take_over(answer.pk):
                    fail_answer(get_lease(row), code=CANCELLED, reason=CANCELLED_MESSAGE)
        raise


def _build_result(answer: Message) -> StepResult:
    """Return the result of an ended answer.

    Raises:
        StepError: the answer failed; the code is that of the answer.
    """
    if answer.status == MessageStatus.FAILED:
        code = answer.error_code or "internal"
        raise StepError(code, answer.error_message, retryable=code in RETRYABLE_CODES)
    ids = {"conversation_id": str(answer.conversation_id), "message_id": str(answer.pk)}
    output: dict[str, Any] = {"text": answer.content, **ids}
    if get_answer_options(answer).output_schema is not None:
        output["object"] = json.loads(answer.content)
    metadata = {**ids, "tokens": answer.token_count, "cost": f"{answer.cost:.6f}"}
    return StepResult(output, agent_id=answer.agent_id, metadata=metadata)


def cancel_parked_answer(tenant_id: UUID, conversation_id: UUID) -> bool:
    """Deny the waiting tool calls of a cancelled step and end its answer. Call it outside any scope.

    Returns:
        False if the answer does not wait for decisions.
    """
    with tenant_scope(tenant_id, actor=ACTOR):
        answer = _find_answer(conversation_id)
        if answer is None or answer.status != MessageStatus.AWAITING_APPROVAL:
            return False
        calls = ToolExecution.objects.created_after_id(conversation_id).filter(
            message_id=answer.pk, status=ToolStatus.AWAITING_APPROVAL
        )
        for call in calls:
            decide_call(call, allow=False, actor=None, reason=CANCELLED_MESSAGE)
        if row := take_over(answer.pk):
            fail_answer(get_lease(row), code=CANCELLED, reason=CANCELLED_MESSAGE)
        return True


def _wake_if_ended(tenant_id: UUID, link: StepLink) -> None:
    """Wake the step after this transaction if the answer ended before the wait was stored.

    Called in the transaction that stores the wait. The lock on the answer orders it before or after the end.
    """
    answer = _find_answer(link.conversation_id)
    rows = Message.objects.created_after_id(link.conversation_id).select_for_update()
    if answer is None or rows.get(pk=answer.pk).status in ENDED:
        defer_wake(tenant_id, link.step_execution_id)
