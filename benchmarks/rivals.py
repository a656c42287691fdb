"""The other engines that search is compared with: built and asked in a process of their own (`rival_engines`).

They are no part of this project's locks: a Python that has them is named by `--rivals` or `BENCH_RIVALS`, for example
`python -m venv rivals && rivals/bin/pip install chromadb qdrant-edge-py`.
"""

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ENGINES = ("chroma-each", "chroma-one", "qdrant-edge")
PACKAGES = ("chromadb", "qdrant_edge")
SCRIPT = Path(__file__).resolve().parent / "rival_engines.py"
# What the issue allows: parts of Chroma's time, and of Qdrant's beside one round trip.
MOST_OF_EACH, MOST_OF_ONE, MOST_OF_QDRANT = 0.5, 0.02, 2.5


def rival_python(named: str | None) -> str | None:
    """A Python that has other engines: the one that is named, or this one if it has them; None: there is none."""
    if found := named or os.environ.get("BENCH_RIVALS"):
        return found
    return sys.executable if any(importlib.util.find_spec(name) for name in PACKAGES) else None


@dataclass(frozen=True)
class Answer:
    """One engine's figures for one tenant: median milliseconds of a query, CPU and wall, mean recall; its effort."""

    engine: str
    cpu: float
    wall: float
    recall: float
    fewest: int
    effort: int | None


class Rivals:
    """The process; it builds while the caller does other things."""

    def __init__(self, python: str, folder: Path) -> None:
        self.process = subprocess.Popen(
            [python, str(SCRIPT), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.engines: list[str] | None = None

    def ready(self) -> list[str]:
        """The engines that were built; waits until they are."""
        if self.engines is None:
            self.engines = self._read()["engines"]
        return self.engines

    def ask(self, engine: str, tenant: int, k: int, recall: float) -> Answer:
        """All queries to one tenant; an engine whose effort can be chosen tries until it has that recall."""
        self._write({"engine": engine, "tenant": tenant, "k": k, "recall": recall})
        found = self._read()
        return Answer(engine, found["cpu"], found["ms"], found["recall"], found["fewest"], found["effort"])

    def close(self) -> None:
        """End the process."""
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait(timeout=60)

    def _write(self, asked: dict[str, Any]) -> None:
        if not self.process.stdin:
            raise BrokenPipeError("the other engines take no questions")
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise RuntimeError("the process of the other engines ended")
        answer: dict[str, Any] = json.loads(line)
        return answer


def compared(answer: Answer, *, ms: float, recall: float, round_trip: float, own: bool) -> tuple[str, bool]:
    """A line about our time beside the engine's, and whether a limit was passed."""
    if answer.engine == "qdrant-edge":
        share, limit = (ms - round_trip) / answer.cpu, MOST_OF_QDRANT if own else None
        said = f"{share:.2f}x {answer.engine} beside a round trip"
    else:
        share, limit = ms / answer.cpu, MOST_OF_ONE if answer.engine == "chroma-one" else MOST_OF_EACH
        said = f"{share:.3f}x {answer.engine}"
    effort = "" if answer.effort is None else f", effort {answer.effort}"
    failed = limit is not None and share > limit
    verdict = "no limit" if limit is None else f"limit {limit}: {'TOO SLOW' if failed else 'ok'}"
    worse = "" if recall >= answer.recall - 0.0005 else "; RECALL BELOW ITS"
    cost = f"{answer.cpu:.2f} ms of CPU, {answer.wall:.2f} wall"
    line = f"{said} ({cost}, recall {answer.recall:.3f}{effort}); {verdict}{worse}"
    return line, failed or bool(worse and answer.engine != "qdrant-edge")
