"""Schemas of the JSON columns of this app."""

import re
from collections.abc import Iterator
from datetime import datetime
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, RootModel, StringConstraints

from config.db.json_schema import SchemaError, Short, StrictSchema, Text
from workflows.choices import FlowStatus, StepKind, TriggerType

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=100)]
CRON_FIELD = r"(\*|\d+(-\d+)?)(/\d+)?"
CRON = re.compile(rf"^{CRON_FIELD}(,{CRON_FIELD})*(\s+{CRON_FIELD}(,{CRON_FIELD})*){{4}}$")
DAY = 86_400
REQUIRED_MEMBERS = {
    StepKind.AGENT: "agent",
    StepKind.TOOL: "tool",
    StepKind.CONDITION: "condition",
    StepKind.APPROVAL: "prompt",
    StepKind.WAIT: "seconds",
    StepKind.WORKFLOW: "workflow",
}


class RetryPolicy(StrictSchema):
    """Retry policy: wait `delay` seconds, then `factor` times longer after each attempt."""

    attempts: int = Field(1, ge=1, le=20)
    delay: float = Field(1, ge=0, le=DAY)
    factor: float = Field(2, ge=1, le=10)
    longest_delay: float = Field(300, ge=0, le=DAY)


class WorkflowStep(StrictSchema):
    """A step. Without `needs`, it follows the previous step; with `[]`, it starts at once."""

    id: Slug
    kind: StepKind
    name: Short = ""
    needs: list[Slug] | None = Field(None, max_length=100)
    agent: Slug | None = None
    tool: Short | None = None
    workflow: Slug | None = None
    condition: Text | None = None
    prompt: Text | None = None
    seconds: float | None = Field(None, ge=0, le=366 * DAY)
    input: dict[str, Any] = Field(default_factory=dict)
    timeout: int | None = Field(None, ge=1, le=366 * DAY)
    retry: RetryPolicy | None = None
    on_error: Literal["fail", "continue"] = "fail"


class WorkflowDefinition(StrictSchema):
    """The steps of a workflow: a list, or a graph given by `needs`."""

    steps: list[WorkflowStep] = Field(default_factory=list, max_length=500)
    output: dict[str, Any] = Field(default_factory=dict)

    def find_conflicts(self) -> Iterator[SchemaError]:
        places: dict[str, int] = {}
        for place, step in enumerate(self.steps):
            if step.id in places:
                yield ("steps", place, "id"), f"Step {places[step.id]} already has this ID."
            places.setdefault(step.id, place)
            if (
                not getattr(step, REQUIRED_MEMBERS[step.kind])
                and getattr(step, REQUIRED_MEMBERS[step.kind]) != 0
            ):
                yield (
                    ("steps", place, REQUIRED_MEMBERS[step.kind]),
                    f"This field is required for {step.kind} steps.",
                )
        yield from self._broken_edges(places)

    def _broken_edges(self, places: dict[str, int]) -> Iterator[SchemaError]:
        for place, step in enumerate(self.steps):
            for index, name in enumerate(step.needs or ()):
                if name not in places:
                    yield ("steps", place, "needs", index), f"Step {name} does not exist."
        if len(places) < len(self.steps):
            return
        try:
            TopologicalSorter(self.needs()).prepare()
        except CycleError as error:
            circle = " -> ".join(error.args[1])
            yield ("steps", places[error.args[1][0]], "needs"), f"These steps depend on each other: {circle}."

    def needs(self) -> dict[str, list[str]]:
        """Return the IDs of the steps that each step depends on."""
        before = [None, *(step.id for step in self.steps)]
        known = set(before)
        return {
            step.id: [
                name
                for name in (([before[i]] if before[i] else []) if step.needs is None else step.needs)
                if name in known
            ]
            for i, step in enumerate(self.steps)
        }


class ManualTrigger(StrictSchema):
    """Manual trigger, without settings."""


class ScheduleTrigger(StrictSchema):
    """Scheduled trigger: a cron expression of five fields, in a time zone."""

    cron: Short
    timezone: Short = "UTC"
    input: dict[str, Any] = Field(default_factory=dict)

    def find_conflicts(self) -> Iterator[SchemaError]:
        if not CRON.match(self.cron):
            yield ("cron",), "Enter five cron fields: minute, hour, day, month, weekday."
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError):
            yield ("timezone",), "Unknown time zone."


class WebhookTrigger(StrictSchema):
    """Webhook trigger; `header` names the header that contains the request's signature."""

    header: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+$", max_length=100)] = "X-Signature-256"
    input: dict[str, Any] = Field(default_factory=dict)


class EventTrigger(StrictSchema):
    """Event trigger, such as `document.ready`; `filter` lists values that the event must have."""

    event: Annotated[str, StringConstraints(pattern=r"^[a-z_]+(\.[a-z_]+)+$", max_length=100)]
    filter: dict[str, Any] = Field(default_factory=dict)
    input: dict[str, Any] = Field(default_factory=dict)


TRIGGERS: dict[str, type[StrictSchema]] = {
    TriggerType.MANUAL: ManualTrigger,
    TriggerType.SCHEDULED: ScheduleTrigger,
    TriggerType.WEBHOOK: WebhookTrigger,
    TriggerType.EVENT: EventTrigger,
}


class PhaseState(StrictSchema):
    """Status of a phase."""

    status: FlowStatus = FlowStatus.PENDING
    started_at: datetime | None = None
    completed_at: datetime | None = None
    note: Text = ""


class PhaseEntry(PhaseState):
    """An entry of a flow's phase history."""

    phase: Annotated[str, StringConstraints(min_length=1, max_length=100)]


class Phases(RootModel[dict[Short, PhaseState]]):
    """Status by phase."""


class PhaseHistory(RootModel[Annotated[list[PhaseEntry], Field(max_length=1000)]]):
    """Past phases, oldest first."""


class Attendee(StrictSchema):
    """A person invited to an event."""

    email: Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)]
    name: Short = ""
    response: Literal["accepted", "declined", "tentative", "needs_action"] = "needs_action"
    optional: bool = False


class Attendees(RootModel[Annotated[list[Attendee], Field(max_length=1000)]]):
    """People invited to an event."""


class Subtask(BaseModel):
    """A part of a task, assigned to an expert."""

    task: Text
    assigned_to: Short = ""
    priority: Short = ""
    status: Short = ""


class SemanticTags(BaseModel):
    """Tags derived from a text: subtasks, experts and workflow metadata; other keys are allowed."""

    model_config = ConfigDict(extra="allow")

    subtasks: list[Subtask] = Field(default_factory=list, max_length=500)
    expert_assignments: dict[str, list[Text]] = Field(default_factory=dict)
    workflow_metadata: dict[str, Any] = Field(default_factory=dict)
