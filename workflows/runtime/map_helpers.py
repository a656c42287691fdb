"""Helpers of maps: each takes ranges of items and runs the steps of the map for them."""

import time
from typing import Any
from uuid import UUID

from config.observability.masking import mask
from tenants.event_types import Event
from tenants.services.outbox import publish
from workflows.choices import ExecutionStatus, MapItemStatus, StepKind
from workflows.language.expressions import ExpressionError, evaluate_condition, resolve
from workflows.language.plan import StepOutcome
from workflows.models import MapState, StepExecution, WorkflowExecution
from workflows.runtime.bodies.maps import get_range_size, get_tolerated
from workflows.runtime.bodies.waits import start_child
from workflows.runtime.body_calls import call_body
from workflows.runtime.json_values import to_json_value
from workflows.runtime.run_state import RunState
from workflows.runtime.step_bodies import StepContext, StepError, Wait
from workflows.runtime.time_slice import TimeSlice
from workflows.services.commits import Attempt, encode, park_step
from workflows.services.maps import work_range, yield_helper
from workflows.services.outputs import MAX_INLINE_SIZE
from workflows.services.runs import complete_waiting_step

MAX_MESSAGE = 2000
# Longer waits between the attempts of an item would hold a lane.
MAX_RETRY_SECONDS = 2.0


class MapHelper:
    """A claimed helper of a map."""

    def __init__(self, run: RunState, attempt: Attempt, check: Any) -> None:
        self.run, self.attempt, self.check = run, attempt, check
        self.step: Any = run.plan.steps[attempt.step_id]
        self.config = self.step.model_dump(
            mode="json",
            include={"workflow", "item_batch", "tolerated_failure_percentage", "tolerated_failure_count"},
        )
        self.events: list[Event] = []
        self.data: dict[str, Any] = {}
        with run.scope():
            metadata = StepExecution.objects.values_list("metadata", flat=True).get(pk=attempt.id)
            self.map_id = UUID(metadata["map"])
            total = MapState.objects.values_list("total", flat=True).get(step_id=self.map_id)
        self.tolerated = get_tolerated(self.config, total)

    def fail(self, error: StepError) -> None:
        """Fail the map."""
        with self.run.scope():
            complete_waiting_step(self.map_id, error=error)

    def work(self, time_slice: TimeSlice) -> None:
        """Run ranges until none is left or the time slice is over.

        Raises:
            StepError: the map fails.
        """
        finished: int | None = None
        results: list[dict[str, Any]] = []
        while True:
            is_over = finished is not None and time_slice.is_over()
            with self.run.scope():
                taken = work_range(
                    self.attempt,
                    self.map_id,
                    size=get_range_size(self.config),
                    tolerated=self.tolerated,
                    finished=finished,
                    results=results,
                )
                if taken.valid and self.events:
                    publish(*self.events)
                if taken.first is not None and is_over:
                    yield_helper(self.attempt)
                    return
            if taken.first is None:
                return
            self.events.clear()
            finished, results = taken.first, []
            self.data = self.run.as_data(self.attempt)
            for place, item in taken.items:
                self.check()
                result = (
                    self._run_workflow(place, item) if self.step.workflow else self._run_steps(place, item)
                )
                if result is None:
                    return
                results.append(result)

    def _data(self, place: int, item: Any) -> dict[str, Any]:
        return {**self.data, "item": item, "index": place}

    def _run_steps(self, place: int, item: Any) -> dict[str, Any]:
        """Return the result of the steps for one item."""
        data = self._data(place, item)
        outputs: dict[str, Any] = {}
        data["steps"] = dict(data["steps"])
        try:
            for step in self.step.steps:
                outcome = self._run_step(step, place, data)
                data["steps"][step.id] = outcome.as_data()
                outputs[step.id] = outcome.output
        except StepError as error:
            return describe_failure(error)
        if len(encode(outputs)) > MAX_INLINE_SIZE:
            text = f"The outputs of an item exceed {MAX_INLINE_SIZE} bytes."
            return describe_failure(StepError("output_too_large", text, retryable=False))
        return {"status": MapItemStatus.COMPLETED, "output": outputs}

    def _run_step(self, step: Any, place: int, data: dict[str, Any]) -> StepOutcome:
        policy = step.retry or self.run.plan.retry
        for number in range(1, policy.maximum_attempts + 1):
            try:
                if step.when and not evaluate_condition(step.when, data):
                    return StepOutcome("skipped")
                context = self._make_context(step, place, number, step.resolve_config(data), data)
                result = call_body(context)
                if isinstance(result, Wait):
                    raise StepError("wait_in_map", f"Step {step.id} cannot wait in a map.", retryable=False)
                self.events += result.events
                return StepOutcome("completed", to_json_value(result.output))
            except (StepError, ExpressionError) as error:
                failure = as_step_error(error)
                last = number == policy.maximum_attempts
                if last or not failure.retryable or failure.code in policy.non_retryable:
                    if step.on_error == "continue":
                        return StepOutcome("failed", None, failure.code, mask(failure.message)[:MAX_MESSAGE])
                    raise failure from error
                delay = policy.initial_interval * policy.backoff_coefficient ** (number - 1)
                time.sleep(min(failure.retry_after or delay, MAX_RETRY_SECONDS))
                self.check()
        raise AssertionError("unreachable")

    def _make_context(
        self, step: Any, place: int, number: int, config: dict[str, Any], data: dict[str, Any]
    ) -> StepContext:
        return StepContext(
            tenant_id=self.run.tenant_id,
            execution_id=self.run.id,
            step_execution_id=self.attempt.id,
            step_id=step.id,
            kind=StepKind(step.kind),
            item=place,
            attempt=number,
            user_id=self.run.user_id,
            engagement_id=self.run.engagement_id,
            idempotency_key=f"{self.attempt.idempotency_key}:{step.id}:{place}",
            config=config,
            check_cancelled=self.check,
            data=data,
        )

    def _run_workflow(self, place: int, item: Any) -> dict[str, Any] | None:
        """Return the result of the run for one item; None while the helper waits for its end."""
        with self.run.scope():
            runs = WorkflowExecution.objects.filter(parent_step_id=self.attempt.id)
            child = runs.filter(trigger_data__item=place).first()
        if child is not None and child.completed_at is not None:
            if child.status == ExecutionStatus.COMPLETED:
                return {"status": MapItemStatus.COMPLETED, "output": child.output_data}
            text = f"The run of {self.step.workflow} ended as {child.status}. {child.error_message}".strip()
            return describe_failure(StepError("run_failed", text))
        try:
            with self.run.scope():
                parked = park_step(self.attempt, None, "run", {})
                if parked and child is None:
                    values = resolve(self.step.input, self._data(place, item))
                    config = {"workflow": self.step.workflow, "version": "latest", "input": values}
                    context = self._make_context(self.step, place, 1, config, {})
                    start_child(context, trigger_data={"item": place})
        except (StepError, ExpressionError) as error:
            return describe_failure(as_step_error(error))
        return None


def as_step_error(error: StepError | ExpressionError) -> StepError:
    """Return the error of a step for an error of its expressions."""
    if isinstance(error, StepError):
        return error
    return StepError("expression_failed", str(error), retryable=False)


def describe_failure(error: StepError) -> dict[str, Any]:
    """Return the result of a failed item."""
    message = mask(error.message)[:MAX_MESSAGE]
    return {"status": MapItemStatus.FAILED, "error_code": error.code[:100], "error_message": message}
