"""Bodies of steps: the members of each kind."""

from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from config.db.json_schema import Short, StrictSchema, Text
from conversations.choices import MeetingPhase
from conversations.services.meeting_state import MAX_ROUNDS, MeetingAgenda
from workflows.choices import StepKind

from .expressions import resolve
from .values import MAX_SECONDS, Duration, Event, Expression, JsonSchema, RetryPolicy, Slug, Template


class StepBody(StrictSchema):
    """Members of every step body."""

    # Members that may contain expressions. All others are literal, so that data cannot choose agents or hosts.
    templates: ClassVar[frozenset[str]] = frozenset()

    input: dict[str, Any] = Field(default_factory=dict, description="Values for the step.")
    timeout: Duration | None = Field(None, description="Time limit of one attempt.")
    retry: RetryPolicy | None = None
    idempotency: Literal["key", "none"] = Field(
        "key", description="Whether requests carry an idempotency key. `none`: an interrupted attempt fails."
    )

    @cached_property
    def members(self) -> dict[str, Any]:
        """All members as JSON, with unresolved expressions. Do not change it."""
        return self.model_dump(mode="json", by_alias=True)

    @cached_property
    def unresolved(self) -> dict[str, Any]:
        """The members that may contain expressions, as JSON. Do not change it."""
        return self.model_dump(mode="json", include={"input", *self.templates})

    def resolve_config(self, data: Any) -> dict[str, Any]:
        """Return the members of the step as JSON, with their expressions resolved.

        Raises:
            workflows.language.expressions.ExpressionError: an expression fails.
        """
        return self.members | {name: resolve(value, data) for name, value in self.unresolved.items()}

    def get_conditions(self) -> dict[tuple[str | int, ...], str]:
        """Return the expressions that must be true or false, by path."""
        return {}


class StepBudget(StrictSchema):
    """Limits of an agent step."""

    tokens: int | None = Field(None, ge=1)
    cost: float | None = Field(None, gt=0, description="In US dollars.")


class AgentBody(StepBody):
    """Ask an agent. Without `prompt`, it receives `input`, or the run's input if that is empty."""

    templates = frozenset({"prompt"})

    kind: Literal[StepKind.AGENT]
    agent: Slug
    version: int | None = Field(
        None, ge=1, description="Published version of the agent. Default: the latest."
    )
    prompt: Text | None = None
    output_schema: JsonSchema | None = Field(None, description="JSON Schema of the answer.")
    max_turns: int | None = Field(None, ge=1, le=100)
    budget: StepBudget | None = None


class ExpertGroupBody(StepBody):
    """Let several agents discuss a topic. The first leads and writes the summary."""

    templates = frozenset({"topic"})

    kind: Literal[StepKind.EXPERT_GROUP]
    agents: list[Slug] = Field(min_length=1, max_length=8)
    topic: Annotated[Text, StringConstraints(min_length=1)]
    phases: list[MeetingPhase] | None = Field(
        None,
        min_length=1,
        max_length=5,
        description="Phases of the meeting, in their fixed order. `summary` is always held. Default: all.",
    )
    max_rounds: int | None = Field(
        None,
        ge=1,
        le=MAX_ROUNDS,
        description="Maximum number of rounds of questions and contributions. Default: 1.",
    )

    @model_validator(mode="after")
    def check_agenda(self) -> Self:
        """Refuse phases and rounds that a meeting cannot have."""
        MeetingAgenda(tuple(self.phases or MeetingPhase.values), self.max_rounds or 1)
        return self


class ToolBody(StepBody):
    """Call a tool with `input` as its arguments."""

    kind: Literal[StepKind.TOOL]
    tool: Annotated[Short, StringConstraints(min_length=1)]


class McpBody(StepBody):
    """Call a tool of an MCP server with `input` as its arguments."""

    kind: Literal[StepKind.MCP]
    server: Annotated[Short, StringConstraints(min_length=1)]
    tool: Annotated[Short, StringConstraints(min_length=1)]


class RetrievalBody(StepBody):
    """Search a collection."""

    templates = frozenset({"query", "top_k", "filter"})

    kind: Literal[StepKind.RETRIEVAL]
    collection: Slug
    query: Annotated[Text, StringConstraints(min_length=1)]
    top_k: Annotated[int, Field(ge=1, le=100)] | Template = 5
    filter: dict[str, Any] = Field(default_factory=dict)


class HttpBody(StepBody):
    """Send an HTTP request. `integration` names the account whose credentials are sent."""

    templates = frozenset({"url", "headers", "body"})

    kind: Literal[StepKind.HTTP]
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    url: Annotated[
        str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.\-\[\]:]+(?:[/?#].*)?$", max_length=2000)
    ] = Field(description="Address; expressions are allowed after the host.")
    headers: dict[Short, Text] = Field(default_factory=dict, max_length=50)
    body: Any = None
    integration: Short | None = None
    expect: list[Annotated[int, Field(ge=100, le=599)]] = Field(
        default_factory=list, max_length=50, description="Expected status codes. Default: 200 to 299."
    )


class ConditionBody(StepBody):
    """Evaluate a condition. Its output is true or false."""

    kind: Literal[StepKind.CONDITION]
    condition: Expression

    def get_conditions(self) -> dict[tuple[str | int, ...], str]:
        return {("condition",): self.condition}


class SwitchCase(StrictSchema):
    """A condition, and the step that runs if it is the first that is true."""

    when: Expression
    goto: Slug


class SwitchBody(StepBody):
    """Choose one of the steps that need it; the others are skipped. Its output is the chosen ID."""

    kind: Literal[StepKind.SWITCH]
    cases: list[SwitchCase] = Field(min_length=1, max_length=50)
    default: Slug | None = Field(None, description="Step that runs if no condition is true.")

    def get_conditions(self) -> dict[tuple[str | int, ...], str]:
        return {("cases", place, "when"): case.when for place, case in enumerate(self.cases)}

    def list_cases(self) -> list[tuple[tuple[str | int, ...], str]]:
        """Return the steps that it may choose, each with its path."""
        found: list[tuple[tuple[str | int, ...], str]] = [
            (("cases", place, "goto"), case.goto) for place, case in enumerate(self.cases)
        ]
        return [*found, (("default",), self.default)] if self.default else found


class JoinBody(StepBody):
    """Wait for several steps. Its output maps their IDs to their outputs."""

    kind: Literal[StepKind.JOIN]


class DelayBody(StepBody):
    """Wait for a time: `seconds`, or `until` a timestamp."""

    templates = frozenset({"seconds", "until"})

    kind: Literal[StepKind.DELAY]
    seconds: Annotated[float, Field(ge=0, le=MAX_SECONDS)] | Template | None = None
    until: Annotated[str, StringConstraints(min_length=1, max_length=2000)] | None = None


class WaitEventBody(StepBody):
    """Wait for an event for which `correlate` is true. Its output is the event."""

    kind: Literal[StepKind.WAIT_EVENT]
    event: Event
    correlate: Expression | None = Field(None, description="Condition on `event`. Default: any event.")
    on_timeout: Literal["fail", "continue"] = "fail"

    def get_conditions(self) -> dict[tuple[str | int, ...], str]:
        return {("correlate",): self.correlate} if self.correlate else {}


class HumanTaskBody(StepBody):
    """Members of steps that people answer."""

    templates = frozenset({"prompt", "assignees"})

    prompt: Annotated[Text, StringConstraints(min_length=1)]
    assignees: list[Short] = Field(
        default_factory=list, max_length=100, description="E-mail addresses of members."
    )
    roles: list[Slug] = Field(
        default_factory=list, max_length=20, description="Roles whose members may answer."
    )
    expires: Duration | None = None
    remind: Duration | None = Field(None, description="Interval of reminders.")
    due: Duration | None = Field(None, description="Time until `escalate_to` is asked.")
    escalate_to: Short | None = Field(
        None, description="Role or e-mail address that is asked too. Without `due`: at the first reminder."
    )


class ApprovalBody(HumanTaskBody):
    """Ask people for a decision, of whom `required` must approve."""

    kind: Literal[StepKind.APPROVAL]
    required: int = Field(1, ge=1, le=100)
    form: JsonSchema | None = Field(None, description="JSON Schema of values to enter.")
    on_reject: Literal["fail", "branch"] = Field(
        "fail", description="`branch`: the run continues, with `rejected` as `output.decision`."
    )


class FormBody(HumanTaskBody):
    """Ask a person to fill in a form."""

    kind: Literal[StepKind.FORM]
    form: JsonSchema


class TransformBody(StepBody):
    """Build a value from expressions."""

    templates = frozenset({"value"})

    kind: Literal[StepKind.TRANSFORM]
    value: Any


class WorkflowBody(StepBody):
    """Start another workflow with `input`. Its output is the output of that run."""

    kind: Literal[StepKind.WORKFLOW]
    workflow: Slug
    version: Literal["pinned", "latest"] | Annotated[int, Field(ge=1)] = Field(
        "pinned", description="`pinned`: the version that is the latest when this workflow is published."
    )
    wait: bool = Field(True, description="Whether to wait for the end of that run.")


class EmitBody(StepBody):
    """Emit an event, whose data get the ID of the run as `run_id`."""

    templates = frozenset({"data"})

    kind: Literal[StepKind.EMIT]
    event: Event
    data: dict[str, Any] = Field(default_factory=dict)
