"""The job of a lane: claims the tenant's ready steps and runs them for a time slice.

After the slice, the lane is queued behind those of other tenants. If its worker dies, the job is started again and
takes over the steps that it held.
"""

import random
import threading
from collections.abc import Callable, Iterable
from uuid import UUID

from config.tenancy.scope import tenant_scope
from workflows.runtime.attempts import run_attempt
from workflows.runtime.run_state import RunState, load_runs
from workflows.runtime.time_slice import TimeSlice
from workflows.services.commits import Attempt, postpone_step
from workflows.services.lanes import claim_steps, enter_lane, leave_lane, release_lane, take_over

ACTOR = "system:workflows"
# A worker runs one step at a time of those that lost their worker this often. A step that takes its worker down is then
# not counted against the others, which ran at the same time by chance.
SUSPECT_TAKEOVERS = 2
POSTPONE_SECONDS = (1.0, 3.0)
_suspect = threading.Lock()


def run_lane(
    tenant_id: UUID, lane: int, job: int, *, do_others_wait: Callable[[], bool] = lambda: False
) -> None:
    """Run the tenant's ready steps until the slice is over or none is left.

    Args:
        do_others_wait: tells whether lanes of other tenants wait for a worker, which shortens the slice.
    """
    with tenant_scope(tenant_id, actor=ACTOR):
        is_active = enter_lane(tenant_id, lane, job)
        if is_active is None:  # The lane went on under another job.
            return
        if not is_active:
            leave_lane(tenant_id, lane, job)
            return
        attempts = take_over(tenant_id, job)
        runs = load_runs(tenant_id, attempts)
    time_slice = TimeSlice(job, do_others_wait)
    claimed = False
    while True:
        _run_attempts(attempts, runs, time_slice)
        # Never before the first claim: lanes would queue each other without running a step.
        over = claimed and time_slice.is_over()
        with tenant_scope(tenant_id, actor=ACTOR):
            attempts = [] if over else claim_steps(tenant_id, job)
            if not attempts:
                if release_lane(tenant_id, lane, job, again=over):
                    return
                continue
            claimed = True
            runs = load_runs(tenant_id, attempts)


def _run_attempts(attempts: Iterable[Attempt], runs: dict[UUID, RunState], time_slice: TimeSlice) -> None:
    """Run steps, each with the steps behind it while the slice lasts."""
    for first in attempts:
        # Runs without a plan have failed.
        attempt: Attempt | None = first if first.execution_id in runs else None
        while attempt is not None:
            attempt = _run_attempt(runs[attempt.execution_id], attempt, time_slice)


def _run_attempt(run: RunState, attempt: Attempt, time_slice: TimeSlice) -> Attempt | None:
    """Run a step, or let it wait if another suspect runs in this process; return the successor in this lane."""
    if attempt.takeovers < SUSPECT_TAKEOVERS:
        return run_attempt(run, attempt, time_slice)
    if not _suspect.acquire(blocking=False):
        with run.scope():
            postpone_step(attempt, random.uniform(*POSTPONE_SECONDS))  # noqa: S311 (spreads the suspects)
        return None
    try:
        return run_attempt(run, attempt, time_slice)
    finally:
        _suspect.release()
