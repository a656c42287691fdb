"""`python -m benchmarks [name ...]`: measure a temporary installation; exit with 1 if a limit is exceeded.

`python -m benchmarks size [revision]` prints the size of the source instead.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

from . import size
from .installation import House, made_house
from .meter import Compared

Lines = Iterable["Line"]


@dataclass(frozen=True)
class Line:
    """A measured figure and its limit (None: information only)."""

    name: str
    figure: float
    limit: float | None
    unit: str
    detail: str = ""

    @property
    def passed(self) -> bool:
        return self.limit is None or self.figure <= self.limit

    def __str__(self) -> str:
        limit = "" if self.limit is None else f"{self.limit:g}{self.unit}"
        verdict = "" if self.limit is None else ("ok" if self.passed else "TOO MUCH")
        return f"{self.name:<34}{self.figure:>9.2f}{self.unit:<3}{limit:>8}  {verdict:<9} {self.detail}"


def _compared(name: str, found: Compared, limit: float | None) -> Line:
    def format_cost(cost: Any) -> str:
        parts = " + ".join(f"{kind} {micro:.0f}" for kind, micro in cost.parts.items())
        return f"{parts} µs"

    detail = f"{format_cost(found.first)} : {format_cost(found.second)}; rounds {found.lowest:.2f}–{found.highest:.2f}"
    return Line(name, found.ratio, limit, "x", detail)


def _backend(name: str, found: Compared) -> Line:
    """Apply the limit to the backend's CPU; the detail includes the client's share."""
    whole = _compared(name, found, None)
    detail = f"with the client {found.ratio:.2f}x; {whole.detail}"
    return Line(f"{name} : bare", found.parts["database"], 1.2, "x", detail)


def _list(house: House, options: argparse.Namespace) -> Lines:
    from .requests import list_messages

    found = list_messages(house, rounds=options.rounds, count=options.count)
    return [_compared("list of 50 messages : bare", found, 3)]


def _create(house: House, options: argparse.Namespace) -> Lines:
    from .requests import create_message

    found = create_message(house, rounds=options.rounds, count=options.count)
    return [_compared("create a message : bare", found, 4)]


def _audit(house: House, options: argparse.Namespace) -> Lines:
    from .requests import audited_write

    found = audited_write(house, rounds=options.rounds, count=options.count)
    return [_compared("audited write : unaudited", found, 1.25)]


def _rls(house: House, options: argparse.Namespace) -> Lines:
    from .queries import row_level_security

    found = row_level_security(house, rounds=options.rounds, count=options.count)
    return [_compared(f"RLS on : off, {title}", compared, 1.15) for title, compared in found.items()]


def _scope(house: House, options: argparse.Namespace) -> Lines:
    from .scopes import proved_scopes

    found = proved_scopes(house, rounds=options.rounds, count=options.count)
    return [
        _compared(title, compared, 1.05 if title.startswith("proof") else None)
        for title, compared in found.items()
    ]


def _tenant(house: House, options: argparse.Namespace) -> Lines:
    from .provisioning import tenant_ms

    times = tenant_ms(house, repeats=30)
    return [
        Line("create a tenant, median", median(times), 50, "ms", f"{min(times):.1f} to {max(times):.1f} ms")
    ]


def _memory(house: House, options: argparse.Namespace) -> Lines:
    from .provisioning import memory_mb

    found = memory_mb(house)
    limits = {"after 500 requests": 250.0}
    return [Line(f"web process, {name}", size, limits.get(name), "MB") for name, size in found.items()]


def _schema(house: House, options: argparse.Namespace) -> Lines:
    from .schema import Sending, expiry_ms, fill, migrate_seconds, partitioned_and_bare

    wall, spent = migrate_seconds(house)
    lines = [Line("migrate from empty", wall, 20, "s", f"{spent:.1f} s of CPU in Python")]
    messages = fill(2_000_000 if options.full else options.messages)
    for sending in Sending:
        found = partitioned_and_bare(house, rounds=options.rounds, count=options.count, sending=sending)
        lines += [_backend(f"{title}, {sending}", compared) for title, compared in found.items()]
    took, cpu = expiry_ms()
    detail = f"{min(took):.1f} to {max(took):.1f} ms, {cpu:.1f} ms of CPU each, {len(took)} months; {messages} messages"
    return [*lines, Line("expire a month, median", median(took), 10, "ms", detail)]


def _demo(house: House, options: argparse.Namespace) -> Lines:
    from .demo import demo_load

    found = demo_load(house, scale=options.scale)
    detail = f"{found.rows} rows; a second: {found.bare:.0f} : {found.demo:.0f}"
    untriggered = f"{found.untriggered:.0f} rows a second, nothing checked or recorded"
    return [
        Line("bare COPY : demo's load", found.bare / found.demo, 2, "x", detail),
        Line("COPY without triggers : demo", found.untriggered / found.demo, None, "x", untriggered),
    ]


def _runtime(house: House, options: argparse.Namespace) -> Lines:
    from .runtime import append_message, chat_call, first_token_ms, many_streams

    cost = chat_call(house, rounds=options.rounds, count=min(options.count, 100))
    parts = " + ".join(f"{kind} {micro / 1000:.1f}" for kind, micro in cost.parts.items())
    lines = [Line("CPU of a chat call", cost.total / 1000, 25, "ms", f"{parts} ms, medians")]
    delays = sorted(first_token_ms(house, count=40))
    detail = f"{delays[0]:.1f} to {delays[-1]:.1f} ms, {len(delays)} streams"
    lines.append(Line("first token after the model's", delays[len(delays) // 2], 30, "ms", detail))
    streams = many_streams(house, count=200)
    detail = f"{streams.alone:.1f} s alone, {streams.together:.1f} s together, {streams.cpu:.1f} s of CPU"
    lines.append(Line("of 200 streams, not whole", 200 - streams.whole, 0, "", detail))
    lines.append(Line("connections while they wait", streams.connections, None, ""))
    ours, bare, ratio = append_message(house, rounds=options.rounds, count=options.count)
    detail = f"a second: {bare:.0f} : {ours:.0f}"
    return [*lines, Line("bare INSERT : message with audit", ratio, 2, "x", detail)]


def _metering(house: House, options: argparse.Namespace) -> Lines:
    from .metering import metered_requests

    found = metered_requests(house, rounds=options.rounds, count=options.count)
    return [_compared(f"metered : unmetered, {title}", compared, 1.05) for title, compared in found.items()]


def _usage(house: House, options: argparse.Namespace) -> Lines:
    from .metering import usage_sums

    events = 10_000_000 if options.full else 200_000
    found = usage_sums(house, events=events)
    detail = f"{events} events, {found.metrics} metrics, rolled up in {found.rolling_up:.0f} s"
    return [Line(f"usage, {title}", ms, 50, "ms", detail) for title, ms in found.milliseconds.items()]


def _workflows(house: House, options: argparse.Namespace) -> Lines:
    from .workflows import (
        compare_rival,
        compare_steps,
        compare_tenants,
        compare_waiting,
        find_other_tenant,
        log_in_as_worker,
        measure_map,
        measure_start,
    )

    log_in_as_worker()
    costs = compare_steps(house, rounds=options.rounds)
    detail = f"{costs.step:.2f} : {costs.job:.2f} ms of CPU"
    yield Line("step that does nothing : job", costs.ratio, 0.67, "x", detail)
    if options.rivals:
        rival = compare_rival(house, options.rivals, rounds=options.rounds)
        detail = f"{rival.step:.2f} : {rival.job:.2f} ms of CPU"
        yield Line("step of DBOS : job", rival.ratio, None, "x", detail)
    item, growth = measure_map(house, items=10_000)
    yield Line("item of a map : step", item / costs.step, 0.05, "x", f"{item:.2f} ms of CPU, in ranges of 50")
    yield Line("growth by a map of 10,000 items", growth, 20, "MB")
    yield Line("CPU of a start", measure_start(house, count=options.count), 15, "ms")
    alone, behind = compare_tenants(house, find_other_tenant(house), rounds=options.rounds)
    detail = f"{behind:.2f} : {alone:.2f} s, behind 10,000 steps of another tenant"
    yield Line("ten steps behind others : alone", behind / alone, 2, "x", detail)
    for name, ratio in compare_waiting(house, count=options.count).items():
        yield Line(f"{name} beside 100,000 waits : none", ratio, 1.2, "x")


BENCHMARKS: dict[str, Callable[[House, argparse.Namespace], Lines]] = {
    "rls": _rls,
    "list": _list,
    "create": _create,
    "audit": _audit,
    "scope": _scope,
    "tenant": _tenant,
    "memory": _memory,
    "schema": _schema,
    "demo": _demo,
    "runtime": _runtime,
    "metering": _metering,
    "usage": _usage,
    "workflows": _workflows,
}


def main(arguments: list[str]) -> int:
    """Run the selected benchmarks, print one line per figure and return 1 if a limit is exceeded."""
    if arguments[:1] == ["size"]:
        return size.main(arguments[1:])
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="name", help=f"any of {', '.join(BENCHMARKS)}; all by default"
    )
    parser.add_argument(
        "--rounds", type=int, default=7, choices=range(1, 31), metavar="N", help="pairs of rounds"
    )
    parser.add_argument(
        "--count", type=int, default=300, choices=range(10, 5001), metavar="N", help="per round"
    )
    parser.add_argument("--messages", type=int, default=200_000, help="of `schema`")
    parser.add_argument(
        "--full", action="store_true", help="two million messages in `schema`, ten million events in `usage`"
    )
    parser.add_argument("--scale", type=float, default=5, help="of `demo`, in steps of 10,000 messages")
    parser.add_argument(
        "--rivals", metavar="PYTHON", help="of `workflows`: an interpreter with the package dbos"
    )
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark is called {', '.join(unknown)}")
    print("setting up a temporary installation", flush=True)
    failed = False
    with made_house() as house:
        print(f"{'figure':<34}{'value':>12}{'limit':>8}", flush=True)
        for name in options.names or list(BENCHMARKS):
            for line in BENCHMARKS[name](house, options):
                failed = failed or not line.passed
                print(line, flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
