"""The document `conclave.workflow/1`: a workflow's steps, input, output and triggers."""

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from config.db.json_schema import SchemaError, Short, StrictSchema, Text
from workflows.choices import TriggerType

from .steps import MapBody, Path, StepBase, WorkflowStep
from .upgrades import upgrade_document
from .values import Duration, JsonSchema, RetryPolicy

SCHEMA: Literal["conclave.workflow/1"] = "conclave.workflow/1"
MAX_STEPS = 500


class Concurrency(StrictSchema):
    """Limit of the workflow's runs in progress, for each value of `key`."""

    key: str = Field("", max_length=2000, description="Template, such as ${ input.customer }.")
    limit: int = Field(1, ge=1, le=1000)
    on_limit: Literal["queue", "skip", "cancel_running"] = "queue"


class TriggerEntry(BaseModel):
    """A trigger that is created when the workflow is published, with the settings of its type."""

    model_config = ConfigDict(extra="allow")

    name: Short = Field(min_length=1)
    type: TriggerType


class WorkflowDefinition(StrictSchema):
    """The steps of a workflow: a list, or a graph given by `needs`."""

    schema_: Literal["conclave.workflow/1"] = Field(SCHEMA, alias="schema", title="Schema")
    name: Short = ""
    description: Text = ""
    input: JsonSchema = Field(default_factory=dict, description="JSON Schema of the run's input.")
    output_schema: JsonSchema | None = Field(None, description="JSON Schema of the run's output.")
    steps: list[WorkflowStep] = Field(default_factory=list, max_length=MAX_STEPS)
    output: dict[str, Any] = Field(default_factory=dict, description="Output of the run, with expressions.")
    timeout: Duration | None = Field(None, description="Time limit of a run.")
    retry: RetryPolicy | None = Field(None, description="Retry policy of steps without one.")
    concurrency: Concurrency | None = None
    on_failure: list[WorkflowStep] = Field(
        default_factory=list, max_length=50, description="Steps that run once when the run fails."
    )
    triggers: list[TriggerEntry] = Field(default_factory=list, max_length=50)

    @model_validator(mode="before")
    @classmethod
    def _upgrade(cls, value: Any) -> Any:
        return upgrade_document(value)

    def find_conflicts(self) -> Iterator[SchemaError]:
        places: dict[str, Path] = {}
        for path, step in self.iterate_steps():
            if step.id in places:
                other = ".".join(map(str, places[step.id]))
                yield (*path, "id"), f"Another step has this ID: {other}."
            places.setdefault(step.id, path)
        if len(places) > MAX_STEPS:
            yield ("steps",), f"A workflow has at most {MAX_STEPS} steps, including those of maps."
        for section in ("steps", "on_failure"):
            yield from _find_graph_conflicts(section, getattr(self, section))
        names: set[str] = set()
        for place, trigger in enumerate(self.triggers):
            if trigger.name in names:
                yield ("triggers", place, "name"), "Another trigger has this name."
            names.add(trigger.name)

    def iterate_steps(self) -> Iterator[tuple[Path, Any]]:
        """Yield every step with its path, including the steps of maps and of `on_failure`."""
        for section in ("steps", "on_failure"):
            for place, step in enumerate(getattr(self, section)):
                path = (section, place)
                yield path, step
                if isinstance(step, MapBody):
                    yield from (((*path, "steps", index), inner) for index, inner in enumerate(step.steps))

    def needs(self) -> dict[str, list[str]]:
        """Return the IDs of the steps that each step depends on."""
        return get_needs(self.steps)


def get_needs(steps: Sequence[StepBase]) -> dict[str, list[str]]:
    """Return the IDs of the existing steps that each step of a list depends on."""
    known = {step.id for step in steps}
    found: dict[str, list[str]] = {}
    before: list[str] = []
    for step in steps:
        found[step.id] = before if step.needs is None else [name for name in step.needs if name in known]
        before = [step.id]
    return found


def _find_graph_conflicts(section: str, steps: Sequence[StepBase]) -> Iterator[SchemaError]:
    places = {step.id: place for place, step in reversed(list(enumerate(steps)))}
    needs = get_needs(steps)
    for place, step in enumerate(steps):
        path = (section, place)
        yield from (((*path, *inner), text) for inner, text in step.find_member_conflicts())
        for index, name in enumerate(step.needs or ()):
            if name not in places:
                yield (*path, "needs", index), f"Step {name} does not exist."
        for inner, name in step.list_targets():
            if name not in places:
                yield (*path, *inner), f"Step {name} does not exist."
            elif step.id not in needs[name]:
                yield (*path, *inner), f"Add {step.id} to the needs of step {name}."
    if len(places) < len(steps):
        return
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        circle = error.args[1]
        yield (
            (section, places[circle[0]], "needs"),
            f"These steps depend on each other: {' -> '.join(circle)}.",
        )
