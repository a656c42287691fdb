"""Plans: the compiled graph of a definition, which the engine follows.

A plan is pure: the same results of steps give the same decisions, on any backend.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from workflows.choices import StepKind, StepStatus

from .bodies import StepBody
from .definition import WorkflowDefinition, get_needs
from .expressions import find_references, find_steps
from .steps import StepBase
from .values import RetryPolicy, to_seconds

FINISHED = frozenset({StepStatus.COMPLETED, StepStatus.SKIPPED, StepStatus.FAILED})
# Steps of this kind end the wait themselves, as `on_timeout` says.
WITHOUT_TIME_LIMIT = frozenset({StepKind.WAIT_EVENT})


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """Status and output of a finished step.

    Attributes:
        path: file of a large output that is not read yet.
    """

    status: str
    output: Any = None
    error_code: str = ""
    error_message: str = ""
    path: str = ""

    def as_data(self) -> dict[str, Any]:
        """Return the members of `steps.<id>` in expressions."""
        error = {"code": self.error_code, "message": self.error_message} if self.error_code else None
        return {"status": str(self.status), "output": self.output, "error": error}


Outcomes = Mapping[str, StepOutcome]


@dataclass(frozen=True, slots=True)
class Plan:
    """The compiled graph of a workflow's version.

    Attributes:
        config: settings of the workflow that expressions can read.
        needs: IDs of the steps that each step of the graph needs.
        successors: IDs of the steps that need each step.
        references: IDs of the steps whose results each step reads, including those it needs.
        compensations: IDs of the steps that undo others, by the ID of the step that they undo.
        on_failure: IDs of the steps that run when the run has failed, in their order.
        retry: policy of steps without one.
        timeout: time limit of a run, in seconds.
    """

    definition: WorkflowDefinition
    config: Mapping[str, Any]
    steps: Mapping[str, Any]
    needs: Mapping[str, tuple[str, ...]]
    successors: Mapping[str, tuple[str, ...]]
    references: Mapping[str, frozenset[str]]
    compensations: Mapping[str, str]
    on_failure: tuple[str, ...]
    retry: RetryPolicy
    timeout: float

    @property
    def time_limit(self) -> timedelta:
        """Time limit of a run."""
        return timedelta(seconds=self.timeout)

    @property
    def output_references(self) -> frozenset[str]:
        """IDs of the steps that the output of the run reads."""
        return frozenset(find_references(self.definition.output))

    def list_first(self) -> list[dict[str, Any]]:
        """Return the specifications of the steps that start at once."""
        return [self.specify(name) for name, needed in self.needs.items() if not needed]

    def specify(self, step_id: str) -> dict[str, Any]:
        """Return what the engine stores of a step when it becomes ready."""
        step = self.steps[step_id]
        limited = step.timeout is not None and step.kind not in WITHOUT_TIME_LIMIT
        return {
            "step_id": step_id,
            "kind": step.kind,
            "priority": getattr(step, "priority", 0),
            "timeout": to_seconds(step.timeout) if limited else None,
            "deadline": to_seconds(step.deadline) if getattr(step, "deadline", None) else None,
        }

    def is_closing(self, step_id: str) -> bool:
        """Whether the step runs after the failure of the run."""
        return step_id not in self.needs

    def continues_after(self, step_id: str, error_code: str) -> bool:
        """Whether the run continues if the step fails with this error."""
        step = self.steps[step_id]
        if error_code == "timeout" and getattr(step, "on_timeout", "") == "continue":
            return True
        return bool(step.on_error != "fail")

    def list_successors(self, step_id: str, outcome: StepOutcome) -> list[dict[str, Any]]:
        """Return the specifications of the steps behind a finished step.

        Those with `needs` become ready only when all of these are finished.
        """
        found = []
        for name in self.successors.get(step_id, ()):
            spec = self.specify(name)
            passed = self._follow_edge(step_id, name, outcome) == StepStatus.COMPLETED
            if len(self.needs[name]) > 1 and not (self.steps[name].join == "any" and passed):
                spec["needs"] = self.needs[name]
            found.append(spec)
        return found

    def is_skipped(self, step_id: str, outcomes: Outcomes) -> bool:
        """Whether the join rule skips a step whose needs are finished, or with `any`, of which one is completed."""
        needs = self.needs.get(step_id, ())
        if not needs:
            return False
        edges = [
            self._follow_edge(need, step_id, outcomes[need])
            for need in needs
            if need in outcomes and outcomes[need].status in FINISHED
        ]
        if self.steps[step_id].join == "none_failed" and StepStatus.FAILED in edges:
            return True
        if self.steps[step_id].join == "any":
            return StepStatus.COMPLETED not in edges
        return all(edge == StepStatus.SKIPPED for edge in edges)

    def _follow_edge(self, need: str, step_id: str, outcome: StepOutcome) -> str:
        """Return how `step_id` sees the step that it needs: completed, failed or skipped.

        A switch that chose another step counts as skipped for this step, which may have other needs.
        """
        before = self.steps[need]
        if outcome.status == StepStatus.FAILED and before.error_target:
            return StepStatus.COMPLETED if before.error_target == step_id else StepStatus.SKIPPED
        if outcome.status != StepStatus.COMPLETED:
            return outcome.status
        if before.error_target == step_id:
            return StepStatus.SKIPPED
        cases = {target for _, target in before.list_targets()}
        return StepStatus.SKIPPED if step_id in cases and outcome.output != step_id else StepStatus.COMPLETED


def compile_plan(snapshot: Mapping[str, Any]) -> Plan:
    """Return the plan of a version's snapshot."""
    definition = WorkflowDefinition.model_validate(snapshot.get("definition") or {})
    steps: dict[str, Any] = {step.id: step for step in definition.steps}
    needs = {name: tuple(dict.fromkeys(needed)) for name, needed in get_needs(definition.steps).items()}
    successors: dict[str, list[str]] = {name: [] for name in steps}
    for name, needed in needs.items():
        for before in needed:
            successors[before].append(name)
    compensations = {name: f"~{name}"[:100] for name, step in steps.items() if step.compensate}
    closing = {compensations[name]: steps[name].compensate for name in compensations}
    closing |= {step.id: step for step in definition.on_failure}
    steps |= closing
    timeout = to_seconds(definition.timeout) if definition.timeout else float(snapshot.get("timeout") or 3600)
    return Plan(
        definition=definition,
        config=snapshot.get("config") or {},
        steps=steps,
        needs=needs,
        successors={name: tuple(behind) for name, behind in successors.items()},
        references={
            name: frozenset(find_all_references(step) | {*needs.get(name, ())})
            for name, step in steps.items()
        },
        compensations=compensations,
        on_failure=tuple(step.id for step in definition.on_failure),
        retry=definition.retry or RetryPolicy.model_validate(snapshot.get("retry") or {}),
        timeout=timeout,
    )


def find_all_references(step: StepBase) -> set[str]:
    """Return the IDs of the steps whose results a step or the steps inside it read."""
    inside: list[StepBody] = getattr(step, "steps", [])
    found = find_step_references(step).union(*map(find_step_references, inside))
    return found - {getattr(inner, "id", "") for inner in inside}


def find_step_references(step: StepBody) -> set[str]:
    """Return the IDs of the steps whose results a step reads, without those of the steps inside a map."""
    conditions: Iterable[str] = step.get_conditions().values()
    when = getattr(step, "when", None)
    found = find_references([step.input, step.unresolved])
    for expression in (*conditions, *((when,) if when else ())):
        found |= find_steps(expression)
    return found
