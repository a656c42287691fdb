"""A backend that follows plans in memory: without lanes, claims, commits and the engine's SQL functions.

It runs the real bodies of steps, and writes rows of runs and steps only as a history. Maps are a loop over their items.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone

from config.tenancy.scope import tenant_scope
from tenants.services.outbox import publish
from workflows.choices import ExecutionStatus, StepKind, StepStatus
from workflows.language.expressions import evaluate_condition, resolve
from workflows.language.plan import Plan, StepOutcome, compile_plan
from workflows.models import StepExecution, WorkflowExecution
from workflows.runtime.step_bodies import StepContext, StepError, StepResult, Wait, get_body
from workflows.services.backend import RunDescription
from workflows.services.runs import check_input


@dataclass
class MemoryRun:
    """A run in progress.

    Attributes:
        waiting: the wait and the context of each waiting step.
        attempts: rows of the latest attempts.
    """

    row: WorkflowExecution
    plan: Plan
    outcomes: dict[str, StepOutcome] = field(default_factory=dict)
    waiting: dict[str, tuple[Wait, StepContext]] = field(default_factory=dict)
    ready: deque = field(default_factory=deque)
    attempts: dict[str, StepExecution] = field(default_factory=dict)

    @property
    def is_open(self):
        return self.row.completed_at is None

    def scope(self):
        return tenant_scope(self.row.tenant_id, actor=f"user:{self.row.user_id}")

    def as_data(self):
        return {
            "input": self.row.input_data,
            "config": dict(self.plan.config),
            "trigger": self.row.trigger_data or {},
            "steps": {name: outcome.as_data() for name, outcome in self.outcomes.items()},
            "run": {"id": str(self.row.pk)},
        }


class MemoryBackend:
    """Backend of tests. `work` runs the steps that are ready, outside any scope."""

    def __init__(self):
        self.runs: dict[Any, MemoryRun] = {}

    # --- the interface -------------------------------------------------------------------------------

    def start(self, workflow, *, input_data=None, version=None, parent_step_id=None, **fields):
        version = version or workflow.versions.order_by("-version").first()
        plan = compile_plan(version.snapshot)
        check_input(plan.definition.input, input_data or {})
        fields |= {"workflow_version": version, "parent_step_id": parent_step_id}
        row = WorkflowExecution(
            workflow=workflow, status=ExecutionStatus.RUNNING, input_data=input_data or {}, **fields
        )
        row.save(force_insert=True)
        run = self.runs[row.pk] = MemoryRun(row, plan)
        run.ready.extend(spec["step_id"] for spec in plan.list_first())
        return row

    def signal(self, correlation, data):
        found = [
            (run, name)
            for run in self.runs.values()
            for name, (wait, _) in run.waiting.items()
            if correlation in (wait.correlation, f"step:{run.row.pk}:{name}")
        ]
        for run, name in found:
            del run.waiting[name]
            self._finish(run, name, StepOutcome(StepStatus.COMPLETED, data))
        return len(found)

    def cancel(self, run_id):
        run = self.runs[run_id]
        if not run.is_open:
            return False
        self._end(run, ExecutionStatus.CANCELLED)
        return True

    def pause(self, run_id):
        return self._change(run_id, ExecutionStatus.RUNNING, ExecutionStatus.PAUSED)

    def resume(self, run_id):
        return self._change(run_id, ExecutionStatus.PAUSED, ExecutionStatus.RUNNING)

    def redrive(self, run_id, *, again=False):
        run = self.runs[run_id]
        failed = [name for name, each in run.outcomes.items() if each.status == StepStatus.FAILED]
        if run.is_open or not failed:
            raise ValidationError({"run": "Only failed runs can start again."})
        run.outcomes = {name: each for name, each in run.outcomes.items() if name not in failed}
        run.row.completed_at, run.row.status = None, ExecutionStatus.RUNNING
        run.row.save()
        run.ready.extend(failed)
        return run.row

    def describe(self, run_id):
        if run_id not in self.runs:
            return None
        row = self.runs[run_id].row
        return RunDescription(row.pk, row.workflow.slug, str(row.status), row.output_data, row.error_message)

    # --- the worker ----------------------------------------------------------------------------------

    def work(self):
        """Run steps until none is ready; finished delays continue at once."""
        while ready := [run for run in self.runs.values() if run.ready and self._is_running(run)]:
            for run in ready:
                self._run_step(run, run.ready.popleft())

    def pass_time(self):
        """Repeat the bodies that wait for a time."""
        for run in list(self.runs.values()):
            for name in [name for name, (wait, _) in run.waiting.items() if wait.until is not None]:
                self._repeat(run, name)
        self.work()

    def _is_running(self, run):
        return run.is_open and run.row.status == ExecutionStatus.RUNNING

    def _run_step(self, run, name):
        step, data = run.plan.steps[name], run.as_data()
        number = run.attempts[name].attempt + 1 if name in run.attempts else 1
        row = run.attempts[name] = StepExecution(
            execution=run.row, step_id=name, kind=step.kind, attempt=number, status="running"
        )
        with run.scope():
            row.started_at = timezone.now()
            row.save(force_insert=True)
        if run.plan.is_skipped(name, run.outcomes) or (step.when and not evaluate_condition(step.when, data)):
            self._finish(run, name, StepOutcome(StepStatus.SKIPPED))
            return
        config = step.resolve_config(data) | {"needs": run.plan.needs.get(name, ())}
        if step.kind == StepKind.MAP:
            self._finish(run, name, self._run_map(run, row, step, config["items"], data))
            return
        self._call(run, name, self._build_context(run, row, step, config, data))

    def _build_context(self, run, row, step, config, data, item=-1, **fields):
        return StepContext(
            tenant_id=run.row.tenant_id,
            execution_id=run.row.pk,
            step_execution_id=row.pk,
            step_id=step.id,
            kind=StepKind(step.kind),
            item=item,
            attempt=1,
            user_id=run.row.user_id,
            engagement_id=None,
            idempotency_key=f"{run.row.pk}:{step.id}:{item}",
            config=config,
            check_cancelled=lambda: None,
            data=data,
            **fields,
        )

    def _call(self, run, name, context):
        try:
            result = get_body(context.kind)(context)
        except StepError as error:
            self._finish(run, name, StepOutcome(StepStatus.FAILED, None, error.code, error.message))
            return
        if isinstance(result, StepResult):
            with run.scope():
                publish(*result.events)
            self._finish(run, name, StepOutcome(StepStatus.COMPLETED, result.output))
            return
        run.waiting[name] = (result, context)
        with run.scope():
            StepExecution.objects.filter(pk=context.step_execution_id).update(status="waiting")
            if result.begin is not None and not context.waited:
                result.begin()

    def _repeat(self, run, name):
        _, context = run.waiting.pop(name)
        fields = {each: getattr(context, each) for each in context.__slots__}
        self._call(run, name, StepContext(**fields | {"waited": True}))

    def _run_map(self, run, row, step, items, data):
        for place, item in enumerate(items):
            inner = {**data, "item": item, "index": place, "steps": dict(data["steps"])}
            for body in step.steps:
                context = self._build_context(run, row, body, body.resolve_config(inner), inner, place)
                output = get_body(context.kind)(context).output
                inner["steps"][body.id] = StepOutcome(StepStatus.COMPLETED, output).as_data()
        total = len(items)
        output = {"total": total, "succeeded": total, "failed": 0, "result": {"map": str(row.pk)}}
        return StepOutcome(StepStatus.COMPLETED, output)

    def _finish(self, run, name, outcome):
        run.outcomes[name] = outcome
        with run.scope():
            rows = StepExecution.objects.filter(pk=run.attempts[name].pk)
            rows.update(status=outcome.status, output_data=outcome.output, completed_at=timezone.now())
        if outcome.status == StepStatus.FAILED and not run.plan.continues_after(name, outcome.error_code):
            self._end(run, ExecutionStatus.FAILED, message=f"Step {name}: {outcome.error_message}")
            return
        for spec in run.plan.list_successors(name, outcome):
            if run.outcomes.keys() >= set(spec.get("needs", ())) and spec["step_id"] not in run.outcomes:
                run.ready.append(spec["step_id"])
        if run.outcomes.keys() >= run.plan.needs.keys():
            output = resolve(run.plan.definition.output, run.as_data()) or None
            self._end(run, ExecutionStatus.COMPLETED, output=output)

    def _end(self, run, status, *, output=None, message=""):
        row = run.row
        row.status, row.output_data, row.error_message = status, output, message
        row.completed_at = timezone.now()
        run.waiting.clear()
        run.ready.clear()
        with run.scope():
            row.save()
        for other in list(self.runs.values()):
            for name, (_, context) in list(other.waiting.items()):
                if context.step_execution_id == row.parent_step_id:
                    self._repeat(other, name)

    def _change(self, run_id, before, after):
        run = self.runs[run_id]
        if run.row.status != before:
            return False
        run.row.status = after
        return True
