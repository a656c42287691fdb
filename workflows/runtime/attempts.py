"""Runs one attempt of a step: decides whether to skip it, runs its body, and commits the result.

The body runs outside any transaction.
"""

import random
from typing import Any
from uuid import UUID

import orjson
from django.utils import timezone

from config.observability.masking import mask
from tenants.services.outbox import publish
from workflows.choices import ExecutionStatus, StepKind, StepStatus
from workflows.language.bodies import StepBody
from workflows.language.expressions import ExpressionError, evaluate_condition, resolve
from workflows.language.plan import StepOutcome
from workflows.runtime.body_calls import call_body, make_check
from workflows.runtime.json_values import to_json_value
from workflows.runtime.map_helpers import MapHelper
from workflows.runtime.run_state import RunState
from workflows.runtime.step_bodies import (
    StepCancelledError,
    StepContext,
    StepError,
    StepResult,
    Wait,
)
from workflows.runtime.time_slice import TimeSlice
from workflows.services.closing import close_step, end_closed_run, fail_run
from workflows.services.commits import Attempt, Commit, commit_step, encode, park_step, retry_step
from workflows.services.maps import cancel_helpers
from workflows.services.outputs import MAX_INLINE_SIZE, OutputTooLargeError, store_output
from workflows.services.runs import end_run

MAX_TAKEOVERS = 5
MAX_MESSAGE = 2000


def run_attempt(run: RunState, attempt: Attempt, time_slice: TimeSlice) -> Attempt | None:
    """Run an attempt; return the successor that stays in the lane, already claimed.

    Args:
        time_slice: time of the lane; when it is over, all successors are left to other lanes.
    """
    if attempt.kind == StepKind.MAP and attempt.item >= 0:
        _run_helper(run, attempt, time_slice)
        return None
    try:
        result = _execute(run, attempt)
    except StepCancelledError:
        return None
    except StepError as error:
        return _fail(run, attempt, error, time_slice)
    if isinstance(result, Wait):
        return _park(run, attempt, result, time_slice)
    if result is None:
        return _finish(run, attempt, StepOutcome(StepStatus.SKIPPED), {}, time_slice)
    outcome = StepOutcome(StepStatus.COMPLETED, to_json_value(result.output))
    try:
        fields = store_output(run.tenant_id, outcome.output)
    except OutputTooLargeError as error:
        return _fail(run, attempt, StepError("output_too_large", str(error), retryable=False), time_slice)
    fields |= {"agent_id": result.agent_id, "metadata": to_json_value(dict(result.metadata))}
    return _finish(run, attempt, outcome, fields, time_slice, result)


def _run_helper(run: RunState, attempt: Attempt, time_slice: TimeSlice) -> None:
    """Run items of a map."""
    helper = MapHelper(run, attempt, make_check(run, attempt))
    try:
        if attempt.takeovers >= MAX_TAKEOVERS:
            raise make_loss_error(attempt)
        helper.work(time_slice)
    except StepCancelledError:
        return
    except StepError as error:
        helper.fail(error)


def make_loss_error(attempt: Attempt) -> StepError:
    """Return the error of a step that lost its worker too often."""
    text = f"Step {attempt.step_id} took its worker down {MAX_TAKEOVERS} times."
    return StepError("worker_lost", text, retryable=False)


def _execute(run: RunState, attempt: Attempt) -> StepResult | Wait | None:
    """Return the result of the body; None if the step is skipped."""
    step = run.plan.steps[attempt.step_id]
    if attempt.resolution is not None:
        return _read_resolution(attempt.resolution)
    if attempt.takeovers >= MAX_TAKEOVERS:
        raise make_loss_error(attempt)
    if attempt.takeovers and step.idempotency == "none":
        text = f"The worker of step {attempt.step_id} was lost. Check whether its effect happened, then start it again."
        raise StepError("unknown_outcome", text, retryable=False)
    data = run.as_data(attempt)
    try:
        if not attempt.waited and (
            run.plan.is_skipped(attempt.step_id, run.outcomes)
            or ((when := getattr(step, "when", None)) and not evaluate_condition(when, data))
        ):
            return None
        resolved = step.resolve_config(data)
        attempt.input = select_input(step, resolved)
        config = resolved | {"needs": run.plan.needs.get(attempt.step_id, ())}
        return _run_body(run, attempt, config, data)
    except ExpressionError as error:
        raise StepError("expression_failed", str(error), retryable=False) from error


def select_input(step: StepBody, config: dict[str, Any]) -> dict[str, Any] | None:
    """Return the members with expressions, as people see them; None if they are too large."""
    found = {name: config[name] for name in step.unresolved if config.get(name)}
    return found if len(encode(found)) <= MAX_INLINE_SIZE else None


def _read_resolution(resolution: str) -> StepResult:
    result = orjson.loads(resolution)
    if error := result.get("error"):
        raise StepError(error["code"], error["message"], retryable=error["retryable"])
    return StepResult(result["output"])


def _run_body(
    run: RunState, attempt: Attempt, config: dict[str, Any], data: dict[str, Any]
) -> StepResult | Wait:
    context = StepContext(
        tenant_id=run.tenant_id,
        execution_id=run.id,
        step_execution_id=attempt.id,
        step_id=attempt.step_id,
        kind=StepKind(attempt.kind),
        item=attempt.item,
        attempt=attempt.attempt,
        user_id=run.user_id,
        engagement_id=run.engagement_id,
        idempotency_key=attempt.idempotency_key,
        config=config,
        check_cancelled=make_check(run, attempt),
        data=data,
        waited=attempt.waited,
    )
    return call_body(context)


def _finish(
    run: RunState,
    attempt: Attempt,
    outcome: StepOutcome,
    fields: dict[str, Any],
    time_slice: TimeSlice,
    result: StepResult | None = None,
) -> Attempt | None:
    """Commit a finished step with its successors, and the end of the run if it was the last one."""
    closing = run.plan.is_closing(attempt.step_id)
    known = {**run.outcomes, attempt.step_id: outcome}
    fields |= {
        "input": attempt.input,
        "error_code": outcome.error_code,
        "error_message": outcome.error_message,
        "counted": not closing,
    }
    job = time_slice.get_job()
    with run.scope():
        if closing:
            successors = close_step(run.id, run.plan, attempt.step_id)
        else:
            successors = run.plan.list_successors(attempt.step_id, outcome)
        wanted = {name for spec in successors for name in run.plan.references[spec["step_id"]]} - known.keys()
        commit = commit_step(attempt, outcome.status, fields, job=job, successors=successors, wanted=wanted)
        if commit.done:
            run.outcomes = known | commit.known
            if result is not None and result.events:
                publish(*result.events)
            if closing and not successors:
                end_closed_run(run.tenant_id, run.id)
            elif commit.ended:
                _complete_run(run, attempt)
    return _chain(run, attempt, commit)


def _chain(run: RunState, attempt: Attempt, commit: Commit) -> Attempt | None:
    if not commit.chained:
        return None
    step = run.plan.steps[commit.chained["step_id"]]
    return Attempt(
        tenant_id=run.tenant_id,
        execution_id=run.id,
        id=UUID(commit.chained["id"]),
        step_id=commit.chained["step_id"],
        kind=step.kind,
        claim=1,
        idempotency_key=commit.chained["idempotency_key"],
    )


def _complete_run(run: RunState, attempt: Attempt) -> None:
    """End a run whose steps are all finished."""
    run.load(run.plan.output_references)
    try:
        output = resolve(run.plan.definition.output, run.as_data(attempt)) or None
    except (ExpressionError, StepError) as error:
        fail_run(run.tenant_id, run.id, run.plan, f"Output of the run: {error}")
        return
    end_run(run.tenant_id, run.id, ExecutionStatus.COMPLETED, output=output)


def _park(run: RunState, attempt: Attempt, wait: Wait, time_slice: TimeSlice) -> Attempt | None:
    """Let the step wait; an error of `begin` fails the step instead."""
    try:
        with run.scope():
            if (
                park_step(attempt, wait.until, wait.correlation, {"input": attempt.input})
                and wait.begin is not None
            ):
                wait.begin()
    except StepError as error:
        return _fail(run, attempt, error, time_slice)
    return None


def _fail(run: RunState, attempt: Attempt, error: StepError, time_slice: TimeSlice) -> Attempt | None:
    message = mask(error.message)[:MAX_MESSAGE]
    fields = {"input": attempt.input, "error_code": error.code[:100], "error_message": message}
    if attempt.kind == StepKind.MAP:
        with run.scope():
            cancel_helpers(attempt)
    delay = get_retry_delay(run, attempt, error)
    if delay is not None:
        with run.scope():
            retry_step(attempt, delay, fields)
        return None
    outcome = StepOutcome(StepStatus.FAILED, None, error.code[:100], message)
    if run.plan.is_closing(attempt.step_id) or run.plan.continues_after(attempt.step_id, error.code):
        return _finish(run, attempt, outcome, {}, time_slice)
    with run.scope():
        if commit_step(attempt, StepStatus.FAILED, fields | {"counted": False}).done:
            fail_run(run.tenant_id, run.id, run.plan, f"Step {attempt.step_id}: {message}")
    return None


def get_retry_delay(run: RunState, attempt: Attempt, error: StepError) -> float | None:
    """Return the seconds before the next attempt, or None if there is none."""
    policy = run.plan.steps[attempt.step_id].retry or run.plan.retry
    number = attempt.attempt - attempt.base
    if not error.retryable or error.code in policy.non_retryable or number >= policy.maximum_attempts:
        return None
    delay = min(policy.maximum_interval, policy.initial_interval * policy.backoff_coefficient ** (number - 1))
    delay *= random.uniform(0.8, 1.2)  # noqa: S311 (spreads the attempts of many runs)
    if error.retry_after is not None:
        delay = max(0.0, error.retry_after)
    if attempt.deadline_at and (attempt.deadline_at - timezone.now()).total_seconds() <= delay:
        return None
    return delay
