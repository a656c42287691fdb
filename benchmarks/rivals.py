"""Client for the other vector engines, which run in a separate process (`rival_engines`).

They are not in this project's lock files: `--rivals` or `BENCH_RIVALS` names a Python that has them, for example
`python -m venv rivals && rivals/bin/pip install chromadb qdrant-edge-py`.
"""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ENGINES = ("chroma-each", "chroma-one", "qdrant-edge")
PACKAGES = ("chromadb", "qdrant_edge")
SCRIPT = Path(__file__).resolve().parent / "rival_engines.py"
# Limits: fractions of Chroma's time, and a multiple of Qdrant's, not counting one round trip.
MOST_OF_EACH, MOST_OF_ONE, MOST_OF_QDRANT = 0.5, 0.02, 2.5


def rival_python(named: str | None, packages: Sequence[str] = PACKAGES) -> str | None:
    """Return the named Python, or this one if it has one of the packages, else None."""
    if found := named or os.environ.get("BENCH_RIVALS"):
        return found
    return sys.executable if any(importlib.util.find_spec(name) for name in packages) else None


@dataclass(frozen=True)
class Answer:
    """One engine's figures for one tenant: median CPU and wall milliseconds, mean recall, effort."""

    engine: str
    cpu: float
    wall: float
    recall: float
    fewest: int
    effort: int | None


class Rivals:
    """The engines' process; it builds them in the background."""

    def __init__(self, python: str, folder: Path) -> None:
        self.process = subprocess.Popen(
            [python, str(SCRIPT), str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.engines: list[str] | None = None

    def ready(self) -> list[str]:
        """Wait for the build and return the names of the engines."""
        if self.engines is None:
            self.engines = self._read()["engines"]
        return self.engines

    def ask(self, engine: str, tenant: int, k: int, recall: float) -> Answer:
        """Run all queries for one tenant, raising an adjustable effort until `recall` is reached."""
        self._write({"engine": engine, "tenant": tenant, "k": k, "recall": recall})
        found = self._read()
        return Answer(engine, found["cpu"], found["ms"], found["recall"], found["fewest"], found["effort"])

    def close(self) -> None:
        """Stop the process."""
        if self.process.stdin:
            self.process.stdin.close()
        self.process.wait(timeout=60)

    def _write(self, asked: dict[str, Any]) -> None:
        if not self.process.stdin:
            raise BrokenPipeError("The process of the other engines has no input.")
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise RuntimeError("The process of the other engines exited.")
        answer: dict[str, Any] = json.loads(line)
        return answer


def compared(answer: Answer, *, ms: float, recall: float, round_trip: float, own: bool) -> tuple[str, bool]:
    """Return a line that compares the times, and whether a limit was exceeded."""
    if answer.engine == "qdrant-edge":
        share, limit = (ms - round_trip) / answer.cpu, MOST_OF_QDRANT if own else None
        said = f"{share:.2f}x {answer.engine}, not counting a round trip"
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
