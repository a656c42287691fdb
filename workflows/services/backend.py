"""Backends: what starts and controls runs of workflows.

The engine on PostgreSQL is the only one in the product. The product's code uses it by this interface, so that another
one can take its place; `docs/explanation/temporal.md` maps the interface to Temporal. Every backend writes the rows of
runs and steps, which the API, the console and reports read. Call the methods in the scope of the tenant.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from workflows.models import Workflow, WorkflowExecution, WorkflowTrigger, WorkflowVersion
from workflows.services import runs


@dataclass(frozen=True, slots=True)
class RunDescription:
    """State of a run; `output` exists after its end."""

    run_id: UUID
    workflow: str
    status: str
    output: Any = None
    error: str = ""


class Backend(Protocol):
    """Starts and controls runs."""

    def start(
        self,
        workflow: Workflow,
        *,
        input_data: Mapping[str, Any] | None = None,
        version: WorkflowVersion | None = None,
        trigger: WorkflowTrigger | None = None,
        trigger_type: str = ...,
        trigger_data: Mapping[str, Any] | None = None,
        user_id: UUID | None = None,
        priority: int = 0,
        parent_step_id: UUID | None = None,
    ) -> WorkflowExecution:
        """Start a run; its steps run later.

        Args:
            version: version to run, by default the latest.
            parent_step_id: waiting step of another run, which the end of this run resumes.

        Raises:
            ValidationError: the workflow cannot start, or the input violates its schema.
        """

    def signal(self, correlation: str, data: Any) -> int:
        """End the waits with this key, and return their number."""

    def cancel(self, run_id: UUID) -> bool:
        """Cancel a run; bodies under way stop. False: it has ended."""

    def pause(self, run_id: UUID) -> bool:
        """Start no further steps. False: the run is not in progress."""

    def resume(self, run_id: UUID) -> bool:
        """Continue a paused run. False: it is not paused."""

    def redrive(self, run_id: UUID, *, again: bool = False) -> WorkflowExecution:
        """Start the failed and cancelled steps again; `again` renews the keys of effects outside.

        Raises:
            WorkflowExecution.DoesNotExist: the scope has no such run.
            ValidationError: the run did not fail.
        """

    def describe(self, run_id: UUID) -> RunDescription | None:
        """Return the state of a run, or None if the scope has no such run."""


class EngineBackend:
    """The engine on PostgreSQL."""

    start = staticmethod(runs.start_run)
    signal = staticmethod(runs.signal_event)
    cancel = staticmethod(runs.cancel_run)
    pause = staticmethod(runs.pause_run)
    resume = staticmethod(runs.resume_run)
    redrive = staticmethod(runs.redrive_run)

    def describe(self, run_id: UUID) -> RunDescription | None:
        """Return the state of a run, or None if the scope has no such run."""
        run = WorkflowExecution.objects.select_related("workflow").filter(pk=run_id).first()
        if run is None:
            return None
        return RunDescription(run.pk, run.workflow.slug, str(run.status), run.output_data, run.error_message)


backend: Backend = EngineBackend()
