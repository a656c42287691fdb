"""Interface between the engine and the bodies of steps.

A body does the work of one attempt. It touches neither lanes nor rows of steps, so that another backend can run it. The
engine calls it outside any transaction and commits what it returns.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import Any
from uuid import UUID

from config.tenancy.scope import Scope, tenant_scope
from tenants.event_types import Event
from workflows.choices import StepKind
from workflows.step_errors import StepCancelledError, StepError

__all__ = [
    "StepBody",
    "StepCancelledError",
    "StepContext",
    "StepError",
    "StepResult",
    "Wait",
    "get_body",
    "register_body",
]


@dataclass(frozen=True, slots=True)
class StepContext:
    """The attempt that a body runs.

    Attributes:
        step_execution_id: ID of the row of the attempt.
        item: position of the item of a map, or -1.
        config: members of the step in the definition, with expressions resolved, as JSON values.
        idempotency_key: key for effects outside; all attempts and repetitions of the step use the same.
        check_cancelled: raises StepCancelledError if the body should stop; long bodies call it between calls.
        data: roots of expressions, for members that the body evaluates itself.
        waited: whether the body returned a `Wait` before, which is over.
    """

    tenant_id: UUID
    execution_id: UUID
    step_execution_id: UUID
    step_id: str
    kind: StepKind
    item: int
    attempt: int
    user_id: UUID | None
    engagement_id: UUID | None
    idempotency_key: str
    config: Mapping[str, Any]
    check_cancelled: Callable[[], None] = field(compare=False)
    data: Mapping[str, Any] = field(default_factory=dict, compare=False)
    waited: bool = False

    @property
    def actor(self) -> str:
        """The actor that the audit log names."""
        return f"user:{self.user_id}" if self.user_id else f"workflow:{self.execution_id}"

    def scope(self) -> AbstractContextManager[Scope]:
        """Open a short transaction in the scope of the run."""
        return tenant_scope(
            self.tenant_id, user=self.user_id, engagement=self.engagement_id, actor=self.actor
        )


@dataclass(frozen=True, slots=True)
class StepResult:
    """Output of a step, with events and statistics that are committed with it.

    Attributes:
        output: JSON value; the engine stores outputs above 256 kB as files.
        agent_id: agent that did the work.
        metadata: JSON for people, such as the IDs of a conversation and its tokens.
    """

    output: Any = None
    agent_id: UUID | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """The step waits without a job or thread: for a time, an event, a person or another run.

    Attributes:
        until: time of the wake-up; None if only an event or a person ends the wait.
        correlation: key that finds the waiting step, such as `event:ticket.answered` or `run:<id>`.
        begin: called in the transaction that stores the wait, such as to create an approval.
    """

    until: datetime | None = None
    correlation: str = ""
    begin: Callable[[], None] | None = field(default=None, compare=False)


StepBody = Callable[[StepContext], StepResult | Wait]
_bodies: dict[StepKind, StepBody] = {}


def register_body(kind: StepKind) -> Callable[[StepBody], StepBody]:
    """Register the decorated function as the body of steps of `kind`."""

    def register(body: StepBody) -> StepBody:
        _bodies[kind] = body
        return body

    return register


def get_body(kind: StepKind) -> StepBody:
    """Return the body of `kind`.

    Raises:
        KeyError: no body is registered.
    """
    # The modules of the package import this one.
    import_module("workflows.runtime.bodies")
    return _bodies[kind]
