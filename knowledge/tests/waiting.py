"""Waiting in tests: time limits that follow progress instead of the clock."""

import time

PATIENCE = 120.0


def wait_until(condition, *, progress=lambda: None, patience=PATIENCE, pause=0.05):
    """Return the first true result of `condition`.

    Args:
        progress: Returns a value that changes while the awaited work progresses.
        patience: Seconds without progress after which the test fails.
    """
    seen, end = progress(), time.monotonic() + patience
    while not (found := condition()):
        if (now := progress()) != seen:
            seen, end = now, time.monotonic() + patience
        assert time.monotonic() < end, f"no progress for {patience} seconds at {seen!r}"
        time.sleep(pause)
    return found
