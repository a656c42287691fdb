"""Guarantees of the schema documents: `docs/schema/guarantees.yaml`.

Each guarantee names the tests and commands that verify it; `waits_for` describes what is not verified yet.
"""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from django.conf import settings
from django.core.management import get_commands

from config.schema.sources import FOLDER

NUMBERS = tuple(f"G{number}" for number in range(1, 45))


@dataclass(frozen=True)
class Guarantee:
    """A guarantee; `tests` are `file::function`, `commands` are management commands."""

    number: str
    says: str
    tests: tuple[str, ...]
    commands: tuple[str, ...]
    waits_for: str

    @property
    def is_shown(self) -> bool:
        return bool(self.tests or self.commands)

    def faults(self) -> list[str]:
        """Return the errors: missing tests or commands, or no verification at all."""
        missing = [name for name in self.tests if not has_test(name)]
        missing += [f"manage.py {name}" for name in self.commands if name not in get_commands()]
        found = [f"{self.number}: there is no {name}" for name in missing]
        if not self.is_shown and not self.waits_for:
            found.append(f"{self.number}: no test or command verifies it, and waits_for is empty")
        return found


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
