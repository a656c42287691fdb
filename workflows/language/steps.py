"""Steps of the definition language: a body with the members that all steps share."""

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Discriminator, Field, Tag

from config.db.json_schema import SchemaError, Short
from workflows.choices import StepKind

from .bodies import (
    AgentBody,
    ApprovalBody,
    ConditionBody,
    DelayBody,
    EmitBody,
    ExpertGroupBody,
    FormBody,
    HttpBody,
    JoinBody,
    McpBody,
    RetrievalBody,
    StepBody,
    SwitchBody,
    ToolBody,
    TransformBody,
    WaitEventBody,
    WorkflowBody,
)
from .values import Duration, Expression, Slug, Template

Path = tuple[str | int, ...]


def _get_tag(value: Any) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return f"<{kind}>"


def _make_steps(members: type[StepBody], *bodies: type[StepBody], suffix: str) -> Any:
    """Return the union of steps that combine `members` with one of the bodies, selected by `kind`."""
    steps: list[Any] = []
    for body in bodies:
        name = body.__name__.removesuffix("Body") + suffix
        step = type(name, (members, body), {"__doc__": body.__doc__, "__module__": __name__})
        steps.append(Annotated[step, Tag(f"<{_get_kind(body)}>")])
    kinds = ", ".join(map(_get_kind, bodies))
    selected = Discriminator(
        _get_tag,
        custom_error_type="unknown_kind",
        custom_error_message=f"Enter one of {kinds}",
    )
    return Annotated[Union[tuple(steps)], selected]  # noqa: UP007 (built from a list)


def _get_kind(body: type[StepBody]) -> str:
    (kind,) = body.model_fields["kind"].annotation.__args__  # type: ignore[union-attr]
    return StepKind(kind).value


class MapItemStepBase(StepBody):
    """Members of a step that runs for each item of a map, in the order of the list."""

    id: Slug
    name: Short = ""
    when: Expression | None = Field(None, description="Condition. If it is false, the step is skipped.")
    on_error: Literal["fail", "continue"] = "fail"


class CompensationBase(StepBody):
    """Members of a step that reverses another."""


EFFECTS = (AgentBody, ToolBody, McpBody, HttpBody, TransformBody, WorkflowBody, EmitBody)
ITEM_BODIES = (
    *(AgentBody, ExpertGroupBody, ToolBody, McpBody, RetrievalBody, HttpBody),
    *(ConditionBody, TransformBody, EmitBody),
)
if TYPE_CHECKING:
    Compensation = CompensationBase
    MapItemStep = MapItemStepBase
else:
    Compensation = _make_steps(CompensationBase, *EFFECTS, suffix="Compensation")
    MapItemStep = _make_steps(MapItemStepBase, *ITEM_BODIES, suffix="ItemStep")


class MapBody(StepBody):
    """Run `steps` in order, or a workflow, for each item.

    Its output is `{"total", "succeeded", "failed", "result"}`; `result` refers to the outputs of the items.
    """

    templates = frozenset({"items"})

    kind: Literal[StepKind.MAP]
    items: Template | list[Any]
    steps: list[MapItemStep] = Field(default_factory=list, max_length=50)
    workflow: Slug | None = Field(None, description="Workflow that is started for each item, with `input`.")
    max_concurrency: int = Field(4, ge=1, le=100)
    item_batch: int = Field(1, ge=1, le=1000, description="Number of items that are committed together.")
    tolerated_failure_count: int = Field(0, ge=0)
    tolerated_failure_percentage: float = Field(0, ge=0, le=100)

    @cached_property
    def unresolved(self) -> dict[str, Any]:
        # The input of a child workflow refers to its item.
        return self.model_dump(mode="json", include={"items"})


class StepBase(StepBody):
    """Members of every step. Without `needs`, a step follows the previous step; with `[]`, it starts at once."""

    id: Slug
    name: Short = ""
    needs: list[Slug] | None = Field(None, max_length=100)
    join: Literal["all", "any", "none_failed"] = Field(
        "all", description="Which of the needed steps must be completed or skipped."
    )
    when: Expression | None = Field(None, description="Condition. If it is false, the step is skipped.")
    deadline: Duration | None = Field(None, description="Time limit of all attempts.")
    on_error: Annotated[str, Field(pattern=r"^(fail|continue|goto:[a-z0-9][a-z0-9_-]*)$", max_length=105)] = (
        Field("fail", description="`fail`, `continue`, or `goto:<id>` of a step that needs this one.")
    )
    compensate: Compensation | None = Field(None, description="Reverses the step if the run fails after it.")
    priority: int = Field(0, ge=-100, le=100, description="Steps with a higher priority start first.")

    @property
    def error_target(self) -> str | None:
        """ID of the step that handles an error, or None."""
        return self.on_error.removeprefix("goto:") if self.on_error.startswith("goto:") else None

    def list_targets(self) -> list[tuple[Path, str]]:
        """Return the steps that this one may choose, each with its path."""
        handler: list[tuple[Path, str]] = [(("on_error",), self.error_target)] if self.error_target else []
        return [*handler, *(self.list_cases() if isinstance(self, SwitchBody) else ())]

    def find_member_conflicts(self) -> list[SchemaError]:
        """Return the errors of members that are valid separately but not together."""
        if isinstance(self, DelayBody) and (self.seconds is None) == (self.until is None):
            return [(("seconds",), "Enter either seconds or until.")]
        if isinstance(self, MapBody) and bool(self.steps) == bool(self.workflow):
            return [(("steps",), "Enter either steps or a workflow.")]
        return []


STEP_BODIES = (
    *(AgentBody, ExpertGroupBody, ToolBody, McpBody, RetrievalBody, HttpBody, ConditionBody, SwitchBody),
    *(MapBody, JoinBody, DelayBody, WaitEventBody, ApprovalBody, FormBody, TransformBody, WorkflowBody),
    EmitBody,
)
if TYPE_CHECKING:
    WorkflowStep = StepBase
else:
    WorkflowStep = _make_steps(StepBase, *STEP_BODIES, suffix="Step")
