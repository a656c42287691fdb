"""CPU seconds of processes and of PostgreSQL's backends, from /proc (Linux only)."""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

# Attempts to measure a cost.
ROUNDS_PER_COST = 3
TICK = 1 / os.sysconf("SC_CLK_TCK")


def cpu_of(pid: int) -> float:
    """Return the user and system CPU seconds of a process, including finished threads.

    The kernel reports nanoseconds for a single thread and ticks for several.
    """
    if len(list(Path(f"/proc/{pid}/task").iterdir())) == 1:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * TICK


def spent_with(backend: int) -> float:
    """Return the CPU seconds of this process and a backend; the backend's have nanosecond resolution."""
    return time.process_time() + int(Path(f"/proc/{backend}/schedstat").read_text().split()[0]) / 1e9


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in megabytes (10^6 bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(pid)


def backends_of(watcher: psycopg.Connection[Any], application: str) -> list[int]:
    """Return the process ids of backends whose connections are named `application` (PGAPPNAME)."""
    rows = watcher.execute("SELECT pid FROM pg_stat_activity WHERE application_name = %s", [application])
    return [pid for (pid,) in rows.fetchall()]


@dataclass(frozen=True)
class Side:
    """One side of a comparison: an action that runs `count` times, and the measured processes."""

    name: str
    run: Callable[[int], None]
    pids: Callable[[], dict[str, list[int]]]


@dataclass(frozen=True)
class Cost:
    """CPU microseconds of one repetition, by kind of process."""

    parts: dict[str, float]

    @property
    def total(self) -> float:
        return sum(self.parts.values())


def measure(side: Side, count: int) -> Cost:
    """Return the CPU cost of one of `count` repetitions.

    A round is repeated if a process began or ended meanwhile, for example a backend for the first write of the
    request counts.

    Raises:
        RuntimeError: processes began or ended in each round.
    """
    for _ in range(ROUNDS_PER_COST):
        if (cost := _measure_once(side, count)) is not None:
            return cost
    raise RuntimeError(f"{side.name}: a process ended or began while it was measured")


def _measure_once(side: Side, count: int) -> Cost | None:
    pids = side.pids()
    before = {kind: {pid: cpu_of(pid) for pid in listed} for kind, listed in pids.items()}
    side.run(count)
    after = {kind: {pid: cpu_of(pid) for pid in listed} for kind, listed in side.pids().items()}
    if {kind: set(listed) for kind, listed in after.items()} != {kind: set(b) for kind, b in before.items()}:
        return None
    spent = {
        kind: sum(after[kind][pid] - was for pid, was in listed.items()) for kind, listed in before.items()
    }
    return Cost({kind: seconds / count * 1e6 for kind, seconds in spent.items()})


@dataclass(frozen=True)
class Compared:
    """Median costs of two sides and the median of the ratios of neighbouring rounds; `parts` by kind of process."""

    first: Cost
    second: Cost
    ratio: float
    lowest: float
    highest: float
    parts: dict[str, float] = field(default_factory=dict)


def median_cost(costs: Sequence[Cost]) -> Cost:
    """Return the median cost by kind of process."""
    return Cost({kind: statistics.median(cost.parts[kind] for cost in costs) for kind in costs[0].parts})


def compare(first: Side, second: Side, *, rounds: int, count: int, warm: int) -> Compared:
    """Measure both sides alternately (ABBA), so that drift of a noisy machine affects both."""
    first.run(warm)
    second.run(warm)
    pairs: list[tuple[Cost, Cost]] = []
    for number in range(rounds):
        if number % 2:
            other = measure(second, count)
            pairs.append((measure(first, count), other))
        else:
            one = measure(first, count)
            pairs.append((one, measure(second, count)))
    ratios = [one.total / other.total for one, other in pairs]
    return Compared(
        median_cost([one for one, _ in pairs]),
        median_cost([other for _, other in pairs]),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        {
            kind: statistics.median(one.parts[kind] / max(other.parts[kind], TICK) for one, other in pairs)
            for kind in pairs[0][0].parts.keys() & pairs[0][1].parts.keys()
        },
    )
