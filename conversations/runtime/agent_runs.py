"""Stores the usage rows of an answer and its agent run in one statement."""

import resource
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from django.db import connection
from django.utils import timezone

from agents.choices import RunStatus
from agents.models import Agent, AgentRun, LlmUsage
from agents.services.runs import get_run_texts
from config.db.ids import uuid7, uuid7_time
from conversations.runtime.turns import TurnContext
from conversations.services.insert_templates import InsertTemplate, build_insert_template
from conversations.signals import answer_stored

# The partitions of the previous month always exist.
MAX_ID_AGE = timedelta(days=28)
# Further rows are inserted by another statement.
MAX_TEMPLATE_ROWS = 4
RUN_COLUMNS = frozenset(
    {
        *("id", "tenant_id", "agent_id", "user_id", "conversation_id", "message_id", "meeting_id"),
        *("prompt", "response", "status", "error_message", "execution_time_ms", "tokens_used"),
        *("agent_version", "model_calls", "retry_count", "cost", "memory_used_mb"),
    }
)
USAGE_COLUMNS = frozenset(
    {
        *("tenant_id", "user_id", "agent_id", "integration_id", "conversation_id", "message_id", "task_id"),
        *("flow_id", "feature_context", "request_payload", "response_payload"),
        *("provider", "model", "prompt_tokens", "completion_tokens", "prompt_cost", "completion_cost"),
        *("cost_known", "latency_ms", "status_code", "error_message"),
    }
)


def store_usage(
    turn: TurnContext,
    rows: Sequence[LlmUsage],
    *,
    text: str | None,
    error: str = "",
) -> AgentRun | None:
    """Store the usage rows of an answer and the run of its agent, in the transaction that ends the answer.

    The run has the answer's ID, so that there is one per answer. Models without an agent have no run.

    Args:
        text: the answer; None if the client asked not to store it.
        error: why the answer failed.
    """
    run = None
    if turn.agent.pk is not None:
        run = _build_run(turn, rows, text)
        run.status, run.error_message = RunStatus.FAILED if error else RunStatus.COMPLETED, error
        # The last failure ended the answer and was not followed by another attempt.
        run.retry_count = max(0, (run.retry_count or 0) - bool(error and turn.meter.failures))
    for row in rows:
        row.task_id = str(run.pk if run else turn.answer_id)
    _insert(run, rows[:MAX_TEMPLATE_ROWS])
    if len(rows) > MAX_TEMPLATE_ROWS:
        LlmUsage.objects.bulk_create(rows[MAX_TEMPLATE_ROWS:])
    return run


def send_answer_stored(turn: TurnContext, run: AgentRun | None, *, text: str | None, error: str = "") -> None:
    """Send `answer_stored`, last in the transaction that ends the answer.

    Receivers lock rows that all answers of an agent share. Locked last, these rows cause no deadlocks, and other
    answers wait for the commit only.

    Args:
        run: the run that `store_usage` returned for the same text and error.
    """
    # Nothing is learned from failures before the first request, and from answers that clients do not want stored.
    if run and text is not None and not (error and not (turn.meter.calls or turn.meter.failures)):
        answer_stored.send(AgentRun, turn=turn, model=get_answering_model(turn), failed=bool(error))


def get_answering_model(turn: TurnContext) -> str:
    """Return the name of the model that was asked last."""
    calls = turn.meter.calls
    return (calls[-1].route.model if calls else turn.agent.model_name)[:100]


def _build_run(turn: TurnContext, rows: Sequence[LlmUsage], text: str | None) -> AgentRun:
    prompt, response = ("", "") if text is None else get_run_texts(turn.agent, turn.question, text)
    lease = turn.journal.lease
    return AgentRun(
        id=_get_run_id(turn),
        tenant_id=turn.caller.tenant_id,
        agent_id=turn.agent.pk,
        user_id=turn.caller.user_id,
        conversation_id=turn.conversation_id,
        message_id=turn.answer_id,
        meeting_id=turn.meeting_id,
        prompt=prompt,
        response=response,
        execution_time_ms=turn.elapsed_ms,
        tokens_used=min(sum(row.prompt_tokens + row.completion_tokens for row in rows), 2**31 - 1),
        agent_version=get_used_version(turn.agent),
        model_calls=len(rows),
        retry_count=len(turn.meter.failures) + (lease.takeovers if lease else 0),
        cost=sum((row.prompt_cost + row.completion_cost for row in rows), Decimal(0)),
        # Linux reports kibibytes: the peak of the process, which may run other turns too.
        memory_used_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def _get_run_id(turn: TurnContext) -> Any:
    """Return the answer's ID, or a new one if its partition may have expired."""
    is_recent = uuid7_time(turn.answer_id) > timezone.now() - MAX_ID_AGE
    return turn.answer_id if is_recent else uuid7()


def get_used_version(agent: Agent) -> int:
    """Return the number of the version that a turn runs: the pinned or the latest one."""
    return int(getattr(agent, "used_version", agent.version))


def _insert(run: AgentRun | None, rows: Sequence[LlmUsage]) -> None:
    if run is None and not rows:
        return
    connection.ensure_connection()
    statement, run_row, usage_rows = _insert_sql(run is not None, len(rows))
    values: dict[str, Any] = run_row.given(run) if run_row and run else {}
    for template, row in zip(usage_rows, rows, strict=True):
        values |= template.given(row)
    with connection.prepared_cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute(statement, values)


@cache
def _insert_sql(has_run: bool, count: int) -> tuple[str, InsertTemplate | None, list[InsertTemplate]]:
    run = build_insert_template(AgentRun, RUN_COLUMNS, prefix="r_") if has_run else None
    usage = [build_insert_template(LlmUsage, USAGE_COLUMNS, prefix=f"u{place}_") for place in range(count)]
    run_sql = f"INSERT INTO agents_agentrun ({run.columns}) VALUES ({run.values})" if run else ""
    if not usage:
        return run_sql, run, usage
    values = ", ".join(f"({each.values})" for each in usage)
    usage_sql = f"INSERT INTO agents_llmusage ({usage[0].columns}) VALUES {values}"
    return (f"WITH run AS ({run_sql}) {usage_sql}" if run_sql else usage_sql), run, usage
