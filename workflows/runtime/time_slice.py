"""Time that a tenant's lane may take before other lanes get a place in the worker."""

import time
from collections.abc import Callable

MAX_SECONDS = 0.5
TURN_SECONDS = 0.1


class TimeSlice:
    """Ends after `MAX_SECONDS`, and already after `TURN_SECONDS` if lanes of other tenants wait for a worker.

    A short slice is fair, a long one saves jobs. A worker that is asked to stop waits for the slices of its lanes.
    """

    def __init__(self, job: int | None, do_others_wait: Callable[[], bool] = lambda: False) -> None:
        """Begin a slice.

        Args:
            job: job of the lane.
            do_others_wait: tells whether lanes of other tenants wait for a worker.
        """
        self.job, self.do_others_wait = job, do_others_wait
        began = time.monotonic()
        self.end = began + MAX_SECONDS
        self.check_at = began + TURN_SECONDS

    def is_over(self) -> bool:
        """Return whether the slice is over. Call it outside any scope."""
        now = time.monotonic()
        if self.check_at <= now < self.end:
            self.check_at = now + TURN_SECONDS
            if self.do_others_wait():
                self.end = now
        return now >= self.end

    def get_job(self) -> int | None:
        """Return the job that can claim another step, or None if the slice is over."""
        return None if self.is_over() else self.job
