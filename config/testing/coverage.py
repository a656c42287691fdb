"""Leaves programs and blocks of tests out of the measurement of coverage, which makes code half as slow again."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# The variable by which coverage measures programs that a measured program starts.
VARIABLE = "COVERAGE_PROCESS_CONFIG"


@contextmanager
def pause_coverage() -> Iterator[None]:
    """Do not measure programs that are started during the block.

    This process is still measured: threads that outlive a pause would not be measured after it.
    """
    configuration = os.environ.pop(VARIABLE, None)
    try:
        yield
    finally:
        if configuration is not None:
            os.environ[VARIABLE] = configuration


@contextmanager
def pause_tracing() -> Iterator[None]:
    """Do not measure this thread during the block, whose time would include that of the measurement."""
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracer)
