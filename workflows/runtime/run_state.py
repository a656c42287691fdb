"""State of runs in the memory of a lane."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from config.tenancy.scope import Scope, tenant_scope
from workflows.choices import ExecutionStatus
from workflows.language.plan import Plan, StepOutcome
from workflows.models import WorkflowExecution
from workflows.services.closing import fail_run
from workflows.services.commits import Attempt, read_results, wake_run
from workflows.services.outputs import read_output
from workflows.services.plans import PlanError, get_plan
from workflows.step_errors import StepError


@dataclass(slots=True)
class RunState:
    """A run, with the results of the steps that this lane has read or written.

    Attributes:
        outcomes: results of finished steps, by ID.
    """

    tenant_id: UUID
    id: UUID
    plan: Plan
    user_id: UUID | None
    engagement_id: UUID | None
    input: Any
    trigger: Any
    started_at: datetime
    outcomes: dict[str, StepOutcome] = field(default_factory=dict)

    @property
    def actor(self) -> str:
        """The actor that the audit log names."""
        return f"user:{self.user_id}" if self.user_id else f"workflow:{self.id}"

    def scope(self) -> AbstractContextManager[Scope]:
        """Open the scope in which the engine writes the run's rows."""
        return tenant_scope(self.tenant_id, actor=self.actor)

    def load(self, names: Iterable[str]) -> None:
        """Read the results of steps that are not known yet. Call it in the scope."""
        missing = set(names) - self.outcomes.keys()
        self.outcomes |= read_results(self.tenant_id, self.id, sorted(missing))

    def read_files(self) -> None:
        """Read the outputs that are stored as files.

        Raises:
            StepError: a file cannot be read.
        """
        for name, outcome in self.outcomes.items():
            if outcome.path:
                try:
                    output = read_output(outcome.path)
                except OSError as error:
                    text = f"The stored output of step {name} cannot be read."
                    raise StepError("output_unavailable", text) from error
                self.outcomes[name] = replace(outcome, output=output, path="")

    def as_data(self, attempt: Attempt) -> dict[str, Any]:
        """Return the roots of expressions.

        Raises:
            StepError: a stored output cannot be read.
        """
        self.read_files()
        return {
            "input": self.input,
            "config": dict(self.plan.config),
            "trigger": self.trigger or {},
            "steps": {name: outcome.as_data() for name, outcome in self.outcomes.items()},
            "run": {
                "id": str(self.id),
                "started_at": self.started_at.isoformat(),
                "attempt": attempt.attempt,
            },
        }


def load_runs(tenant_id: UUID, attempts: Iterable[Attempt], *, claimed: bool = True) -> dict[UUID, RunState]:
    """Read the runs of steps, with the results that the steps refer to. Call it in the scope.

    Runs whose plan cannot be compiled are left out; those whose steps run now fail.

    Args:
        claimed: the steps run now, so a waiting run becomes a running one.
    """
    wanted: dict[UUID, set[str]] = {}
    for attempt in attempts:
        wanted.setdefault(attempt.execution_id, set()).add(attempt.step_id)
    runs = {}
    for row in WorkflowExecution.objects.filter(pk__in=wanted):
        try:
            plan = get_plan(tenant_id, row.workflow_version_id)
        except PlanError as error:
            if claimed:
                fail_run(tenant_id, row.pk, None, " ".join(error.messages))
            continue
        if claimed and row.status == ExecutionStatus.WAITING:
            wake_run(tenant_id, row.pk)
        runs[row.pk] = run = RunState(
            tenant_id=tenant_id,
            id=row.pk,
            plan=plan,
            user_id=row.user_id,
            engagement_id=row.engagement_id,
            input=row.input_data,
            trigger=row.trigger_data,
            started_at=row.started_at,
        )
        run.load({name for step in wanted[row.pk] for name in run.plan.references.get(step, ())})
    return runs
