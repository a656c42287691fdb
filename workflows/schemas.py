"""Schemas of the JSON columns of this app."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from django.utils import timezone
from pydantic import BaseModel, ConfigDict, Field, RootModel, StringConstraints

from config.db.json_schema import SchemaError, Short, StrictSchema, Text
from workflows.choices import FlowStatus, MisfirePolicy, OverlapPolicy, TriggerType, WebhookScheme
from workflows.language.definition import WorkflowDefinition
from workflows.language.expressions import check_condition
from workflows.language.schedules import Schedule, ScheduleError
from workflows.language.values import DAY, Expression, RetryPolicy, Slug

__all__ = ["DAY", "RetryPolicy", "Slug", "WorkflowDefinition"]


class ManualTrigger(StrictSchema):
    """Manual trigger, without settings."""


class ScheduleTrigger(StrictSchema):
    """Scheduled trigger: a cron expression in a time zone, and what happens when a run is late or still in progress.

    `misfire` applies to times that were missed by more than a minute: no run, one run, or all of them, up to 100.
    """

    cron: Short
    timezone: Short = "UTC"
    misfire: MisfirePolicy = MisfirePolicy.ONCE
    overlap: OverlapPolicy = OverlapPolicy.ALLOW
    input: dict[str, Any] = Field(default_factory=dict)

    def find_conflicts(self) -> Iterator[SchemaError]:
        try:
            Schedule(self.cron).next_after(timezone.now())
        except ScheduleError as error:
            yield ("cron",), str(error)
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError):
            yield ("timezone",), "Unknown time zone."


class WebhookTrigger(StrictSchema):
    """Webhook trigger: requests are signed as Standard Webhooks describes, or in the form of GitHub.

    `header` names the header with the signature in the form of GitHub, besides `X-Hub-Signature-256`.
    """

    scheme: WebhookScheme = WebhookScheme.STANDARD_WEBHOOKS
    header: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+$", max_length=100)] = "X-Signature-256"
    input: dict[str, Any] = Field(default_factory=dict)

    def find_conflicts(self) -> Iterator[SchemaError]:
        # The web server refuses requests without such a header before it reads their body.
        if "signature" not in self.header.lower():
            yield ("header",), "The name must contain the word signature."


class EventTrigger(StrictSchema):
    """Event trigger, such as `document.indexed`.

    `filter` lists values that the event's data must have, or is a CEL condition such as `event.data.chunk_count > 3`.
    """

    event: Annotated[str, StringConstraints(pattern=r"^[a-z_]+(\.[a-z_]+)+$", max_length=100)]
    filter: dict[str, Any] | Expression = Field(default_factory=dict)
    input: dict[str, Any] = Field(default_factory=dict)

    def find_conflicts(self) -> Iterator[SchemaError]:
        if isinstance(self.filter, str) and (text := check_condition(self.filter, {"event": "dyn"})):
            yield ("filter",), text


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
