"""Bodies of steps that compute or choose: transform, condition, switch, join and emit."""

from functools import lru_cache

from pydantic import ConfigDict

from tenants.event_types import EVENT_TYPES, Event
from workflows.choices import StepKind
from workflows.language.expressions import evaluate_condition
from workflows.runtime.step_bodies import StepContext, StepError, StepResult, register_body


@register_body(StepKind.TRANSFORM)
def run_transform(context: StepContext) -> StepResult:
    """Return the value, whose expressions are resolved."""
    return StepResult(context.config["value"])


@register_body(StepKind.CONDITION)
def run_condition(context: StepContext) -> StepResult:
    """Return whether the condition is true."""
    return StepResult(evaluate_condition(context.config["condition"], context.data))


@register_body(StepKind.SWITCH)
def run_switch(context: StepContext) -> StepResult:
    """Return the ID of the step of the first true case, else the default."""
    for case in context.config["cases"]:
        if evaluate_condition(case["when"], context.data):
            return StepResult(case["goto"])
    return StepResult(context.config["default"])


@register_body(StepKind.JOIN)
def run_join(context: StepContext) -> StepResult:
    """Return the outputs of the needed steps by ID."""
    steps = context.data["steps"]
    return StepResult({name: steps[name]["output"] for name in context.config["needs"] if name in steps})


@register_body(StepKind.EMIT)
def run_emit(context: StepContext) -> StepResult:
    """Publish an event with the commit of the step. Its data has the ID of the run as `run_id`."""
    name = context.config["event"]
    if name in EVENT_TYPES:
        raise StepError("reserved_event", f"Only Conclave publishes {name} events.", retryable=False)
    # It limits runs that start one another by events.
    data = context.config["data"] | {"run_id": str(context.execution_id)}
    event = make_event_type(name).model_validate(data)
    return StepResult({"event": name}, events=(event,))


@lru_cache(maxsize=256)
def make_event_type(name: str) -> type[Event]:
    """Return the type of the events that workflows emit under a name; their data is any object."""
    return type(
        "EmittedEvent", (Event,), {"name": name, "model_config": ConfigDict(extra="allow", frozen=True)}
    )
