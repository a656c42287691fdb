"""Calls of step bodies."""

import logging
import time
from collections.abc import Callable

from django.db import InterfaceError, OperationalError

from workflows.choices import ExecutionStatus, StepStatus
from workflows.language.expressions import ExpressionError
from workflows.models import StepExecution
from workflows.runtime.run_state import RunState
from workflows.runtime.step_bodies import (
    StepCancelledError,
    StepContext,
    StepError,
    StepResult,
    Wait,
    get_body,
)
from workflows.services.commits import Attempt

logger = logging.getLogger(__name__)
# Interval between the queries of `check_cancelled`.
CHECK_SECONDS = 1.0
# The database is restarting or the connection is lost: the lane's job fails, and another one takes the step over.
LOST_DATABASE = (OperationalError, InterfaceError)


def call_body(context: StepContext) -> StepResult | Wait:
    """Run the body of a step. Its unexpected errors become a StepError without details.

    Raises:
        StepError: the step failed.
        StepCancelledError: the run was cancelled, or another worker has taken the attempt over.
        ExpressionError: an expression that the body evaluates failed.
    """
    try:
        return get_body(context.kind)(context)
    except (StepError, StepCancelledError, ExpressionError, *LOST_DATABASE):
        raise
    except Exception as error:
        logger.exception(
            "The body of a workflow step failed", extra={"step_execution_id": str(context.step_execution_id)}
        )
        text = f"Step {context.step_id} failed with an unexpected error ({type(error).__name__})."
        raise StepError("internal_error", text) from error


def make_check(run: RunState, attempt: Attempt) -> Callable[[], None]:
    """Return a function that raises StepCancelledError if the body must stop.

    The run was cancelled, or another worker has taken the attempt over. The row is read at most once a second.
    """
    checked = time.monotonic()

    def check() -> None:
        nonlocal checked
        if time.monotonic() - checked < CHECK_SECONDS:
            return
        checked = time.monotonic()
        with run.scope():
            row = StepExecution.objects.filter(
                pk=attempt.id, claim=attempt.claim, status=StepStatus.RUNNING
            ).exclude(execution__status=ExecutionStatus.CANCELLED)
            valid = row.exists()
        if not valid:
            raise StepCancelledError

    return check
