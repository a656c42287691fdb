"""What the documents promise beside their tables: `docs/schema/guarantees.yaml`.

Each promise names the tests and commands that show it; what they do not show yet stands in `waits_for`.
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
    """A promise; `tests` are `file::function`, `commands` names of `manage.py`."""

    number: str
    says: str
    tests: tuple[str, ...]
    commands: tuple[str, ...]
    waits_for: str

    @property
    def is_shown(self) -> bool:
        return bool(self.tests or self.commands)

    def faults(self) -> list[str]:
        """What is wrong with it: nothing shows it and it waits for nothing, or what it names is not there."""
        missing = [name for name in self.tests if not has_test(name)]
        missing += [f"manage.py {name}" for name in self.commands if name not in get_commands()]
        found = [f"{self.number}: there is no {name}" for name in missing]
        if not self.is_shown and not self.waits_for:
            found.append(f"{self.number}: no test or command verifies it, and waits_for is empty")
        return found


def load_guarantees(folder: Path = FOLDER) -> list[Guarantee]:
    """Every promise, in the order of the file."""
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
    """Whether `file::function` names a test in the working tree."""
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
