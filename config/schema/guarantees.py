"""Guarantees of the schema documents: `docs/schema/guarantees.yaml`.

Each guarantee is shown, shown in part, or waits. It names the tests and commands that verify it; `waits_for` describes
what is not verified yet.
"""

import ast
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from django.conf import settings
from django.core.management import get_commands

from config.schema.sources import FOLDER

SHOWN, PART, WAITS = "shown", "part", "waits"
# Whether tests or commands verify the guarantee, and whether a part is missing.
STATES = {SHOWN: (True, False), PART: (True, True), WAITS: (False, True)}
NUMBERS = tuple(f"G{number}" for number in range(1, 45))


@dataclass(frozen=True)
class Guarantee:
    """A guarantee; `tests` are `file::function`, `commands` are management commands.

    `models` are the models that the guarantee needs.
    """

    number: str
    says: str
    tests: tuple[str, ...]
    commands: tuple[str, ...]
    waits_for: str
    state: str = SHOWN
    models: tuple[str, ...] = ()

    def faults(self) -> list[str]:
        """Return the errors: missing tests or commands, or a state that they do not support."""
        missing = [name for name in self.tests if not has_test(name)]
        missing += [f"manage.py {name}" for name in self.commands if name not in get_commands()]
        found = [f"{self.number}: there is no {name}" for name in missing]
        verified, open_ = bool(self.tests or self.commands), bool(self.waits_for)
        if STATES.get(self.state) != (verified, open_):
            found.append(f"{self.number}: the state {self.state} does not fit its tests and waits_for")
        return found

    def find_overclaims(self, alive: Collection[str]) -> list[str]:
        """Return an error if the guarantee is shown but a model that it needs is not alive."""
        missing = [model for model in self.models if model not in alive]
        claims = self.state == SHOWN and missing
        return [f"{self.number}: shown, but {', '.join(missing)} not alive"] if claims else []


def load_guarantees(folder: Path = FOLDER) -> list[Guarantee]:
    """Load all guarantees, in file order."""
    entries = yaml.safe_load((folder / "guarantees.yaml").read_text())
    return [
        Guarantee(
            number,
            entry["says"],
            tuple(entry.get("tests", ())),
            tuple(entry.get("commands", ())),
            entry.get("waits_for", ""),
            entry["state"],
            tuple(entry.get("models", ())),
        )
        for number, entry in entries.items()
    ]


def has_test(name: str) -> bool:
    """Return whether `file::function` names an existing test."""
    file, _, function = name.partition("::")
    return function.startswith("test_") and function in _functions(Path(settings.BASE_DIR) / file)


@cache
def _functions(path: Path) -> frozenset[str]:
    if not path.is_file():
        return frozenset()
    return frozenset(
        node.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
