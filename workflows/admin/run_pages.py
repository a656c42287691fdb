"""Graph and timeline on the page of a run."""

import json
from dataclasses import dataclass, field
from datetime import datetime

from django.contrib.admin.utils import unquote
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Count, Q
from django.http import HttpResponse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.utils.safestring import mark_safe

from config.db.json_schema import validation_errors
from workflows.admin.run_usage import RunUsage, Usage, sum_usage
from workflows.choices import ENDED_RUNS, ExecutionStatus, StepStatus
from workflows.language.definition import WorkflowDefinition
from workflows.language.graph import GraphNode, draw_graph

MAX_STEPS = 500
MAX_TEXT = 4000
BAR_WIDTH = 240
VARIANTS = {
    StepStatus.RUNNING: "info",
    StepStatus.WAITING: "warning",
    StepStatus.COMPLETED: "success",
    StepStatus.FAILED: "danger",
    ExecutionStatus.PENDING: "warning",
    ExecutionStatus.PAUSED: "warning",
    ExecutionStatus.COMPENSATING: "warning",
}


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """An attempt of a step, with the place of its bar in pixels."""

    step: object
    seconds: float | None
    left: float
    width: float
    usage: Usage | None = None

    @property
    def variant(self):
        """Colour of the state."""
        return VARIANTS.get(self.step.status, "")

    @property
    def input_text(self):
        """Input as JSON, shortened."""
        return _format(self.step.input_data)

    @property
    def output_text(self):
        """Output as JSON, shortened."""
        return _format(self.step.output_data)


@dataclass(frozen=True, slots=True)
class RunPage:
    """State, graph and timeline of a run.

    `is_shortened`: the timeline shows only the latest attempts. `usage` is None if the person may not read usage.
    `version` changes with the page's content; it is empty after the end of the run.
    """

    run: object
    graph: str
    rows: list[TimelineRow] = field(default_factory=list)
    is_shortened: bool = False
    usage: Usage | None = None
    version: str = ""

    @property
    def variant(self):
        """Colour of the state."""
        return VARIANTS.get(self.run.status, "")

    @property
    def seconds(self):
        """Time since the start, or until the end."""
        return ((self.run.completed_at or timezone.now()) - self.run.started_at).total_seconds()


class RunPageMixin:
    """Page of a run with its graph and timeline, which follows the run until it ends."""

    change_form_outer_before_template = "console/run.html"

    def change_view(self, request, object_id, form_url="", extra_context=None):
        seen = request.GET.get("seen")
        if seen and self.has_view_permission(request):
            run = self.get_object(request, unquote(object_id))
            if run and seen == get_version(run):
                # htmx changes nothing for this status.
                return HttpResponse(status=204)
        shows_usage = request.console.allows("usage", "read")
        # The row is read by the base class, before the template is rendered.
        page = SimpleLazyObject(lambda: build_run_page(request.current_object, shows_usage=shows_usage))
        context = {"run_page": page, "bar_width": BAR_WIDTH, **(extra_context or {})}
        if seen:
            # The page that is updated has the colours, and its policy has another nonce.
            context["colors"] = None
        return super().change_view(request, object_id, form_url, context)


def get_version(run):
    """Return a text that changes with the states of the run and its steps, or "" if the run has ended."""
    if run.status in ENDED_RUNS:
        return ""
    is_running = Q(status=StepStatus.RUNNING)
    counts = run.steps.aggregate(
        all=Count("pk"), begun=Count("started_at"), now=Count("pk", filter=is_running)
    )
    return "-".join(map(str, (run.status, run.event_count, *counts.values())))


def build_run_page(run, *, shows_usage=True):
    """Return the page of a run."""
    # Before the steps, so that a change meanwhile is shown by the next request.
    version = get_version(run)
    newest = list(run.steps.order_by("-id")[: MAX_STEPS + 1])
    steps = newest[:MAX_STEPS][::-1]
    states = {step.step_id: step.status for step in steps if step.item == -1}
    snapshot = run.workflow_version.snapshot if run.workflow_version else {}
    definition = snapshot.get("definition") or run.workflow.definition
    usage = sum_usage(run, steps) if shows_usage else None
    return RunPage(
        run,
        draw_definition(definition, states, title=f"Run of {run.workflow}"),
        build_timeline(run, steps, timezone.now(), usage),
        len(newest) > MAX_STEPS,
        usage.total if usage else None,
        version,
    )


def draw_definition(definition, states=None, *, title):
    """Return the graph of a definition, or an empty string if it is not valid."""
    if validation_errors(WorkflowDefinition, definition):
        return ""
    parsed = WorkflowDefinition.model_validate(definition)
    if not parsed.steps:
        return ""
    states = states or {}
    nodes = [GraphNode(step.id, step.kind, step.name, states.get(step.id, "")) for step in parsed.steps]
    # The drawing escapes all texts.
    return mark_safe(draw_graph(nodes, parsed.needs(), title=title))  # noqa: S308


def build_timeline(run, steps, now, usage=None):
    """Return a row for each attempt; the bars share the time from the first start to the last end."""
    spent = (usage or RunUsage()).attempts
    begun = [step for step in steps if step.started_at]
    start = min([run.started_at, *(step.started_at for step in begun)])
    end = max([run.completed_at or now, *(_end(step, now) for step in begun)])
    scale = BAR_WIDTH / max((end - start).total_seconds(), 0.001)
    rows = []
    for step in steps:
        if not step.started_at:
            rows.append(TimelineRow(step, None, 0, 0, spent.get(step.pk)))
            continue
        seconds = (_end(step, now) - step.started_at).total_seconds()
        left = (step.started_at - start).total_seconds() * scale
        width = round(max(seconds * scale, 2), 1)
        rows.append(TimelineRow(step, seconds, round(left, 1), width, spent.get(step.pk)))
    return rows


def _format(value):
    if value in (None, {}):
        return ""
    text = json.dumps(value, ensure_ascii=False, indent=2, cls=DjangoJSONEncoder)
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"


def _end(step, now) -> datetime:
    return max(step.completed_at or now, step.started_at)
