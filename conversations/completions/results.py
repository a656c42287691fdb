"""Stores the outcome of a completion: the answer or failure, its usage and cost."""

from decimal import Decimal
from typing import Any

from agents.choices import UsageFeature
from agents.services.integrations import record_answer
from conversations.choices import MessageStatus
from conversations.completions.records import FINISH
from conversations.completions.turns import CompletionTurn
from conversations.completions.types import CompletionError
from conversations.runtime.agent_runs import get_answering_model, send_answer_stored, store_usage
from conversations.runtime.answer_assessment import assess_answer
from conversations.runtime.journal import strip_unstorable
from conversations.runtime.metering import build_usage_rows
from conversations.runtime.turn_results import extract_citations, get_owner_columns
from conversations.runtime.turns import TurnContext
from conversations.services.completions import close_completion
from conversations.services.feedback import name_prompts

# Finish reasons of an incomplete answer, which are stored.
CUT = ("length", "content_filter")


def store_completion(turn: CompletionTurn, text: str, finish: str) -> str:
    """Store the answer and return its text with renumbered citations."""
    changes: dict[str, Any] = {"status": MessageStatus.COMPLETED, "citations": []}
    content = strip_unstorable(text)
    if turn.uses_agent:
        content, changes["citations"] = extract_citations(turn.context, text)
        if turn.request.is_stored:
            changes |= assess_answer(turn.context, content, changes["citations"])
    changes["content"] = content
    if finish in CUT:
        changes["metadata"] = {FINISH: finish}
    if not turn.request.is_stored:
        turn.context.journal.tool_calls.clear()
        changes |= {"content": "", "citations": []}
    _close(turn.context, changes, content if turn.request.is_stored else None, error="")
    return content


def store_completion_error(turn: CompletionTurn, failure: CompletionError) -> None:
    """Store the failure with its code and message."""
    changes = {
        "status": MessageStatus.FAILED,
        "error_code": failure.code,
        "error_message": failure.message,
        "content": "",
    }
    _close(turn.context, changes, "" if turn.request.is_stored else None, error=failure.message)


def _close(turn: TurnContext, changes: dict[str, Any], content: str | None, error: str) -> None:
    calls = [*turn.meter.failures, *turn.meter.calls]
    changes |= {
        "latency_ms": turn.elapsed_ms,
        "tool_calls": turn.journal.tool_calls,
        "tool_used": turn.journal.first_tool,
        "model": get_answering_model(turn),
    }
    if prompts := name_prompts({}, turn.agent, turn.prompt_ids):
        changes["metadata"] = changes.get("metadata", {}) | prompts
    with turn.caller.scope():
        if close_completion(
            turn.conversation_id,
            turn.answer_id,
            token_count=sum(call.input_tokens + call.output_tokens for call in calls),
            cost=sum((call.cost for call in calls), Decimal(0)),
            changes=changes,
        ):
            owner = get_owner_columns(turn) | {"feature_context": UsageFeature.COMPLETION}
            rows = build_usage_rows(turn.meter, turn.agent, error, latency_ms=turn.elapsed_ms, **owner)
            run = store_usage(turn, rows, text=content, error=error)
            if turn.meter.calls and not error:
                record_answer(turn.meter.calls[-1].route.integration)
            send_answer_stored(turn, run, text=content, error=error)
