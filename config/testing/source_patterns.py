"""Regular expressions and recursive functions in the source, found in the syntax tree."""

import ast
import importlib
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.validators import RegexValidator

ROOT = Path(settings.BASE_DIR)
# Tests, tools and generated files receive no input from outside.
LEFT_OUT = re.compile(
    r"(?:^|/)(?:tests|testing|migrations|demo)/|^(?:benchmarks|config/schema)/|testing\.py$|/demo\.py$"
)
METHODS = ("match", "fullmatch", "search", "finditer", "findall", "sub", "split")
MAX_ALPHABET, MAX_PAIRED = 24, 6


@cache
def load_modules() -> dict[str, ast.Module]:
    """Return the syntax trees of the modules that can receive input from outside, by dotted name."""
    tracked = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = [name for name in tracked.stdout.splitlines() if not LEFT_OUT.search(name)]
    return {
        name.removesuffix(".py").replace("/", ".").removesuffix(".__init__"): ast.parse(
            (ROOT / name).read_text()
        )
        for name in names
        if (ROOT / name).is_file()
    }


def _names_re(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "re"


def _is_pattern_call(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if _names_re(node.func):
        return node.func.attr in ("compile", *METHODS)  # type: ignore[attr-defined]
    return isinstance(node.func, ast.Name) and node.func.id == "RegexValidator"


def list_pattern_places() -> dict[str, int]:
    """Return the number of regular expressions by place: `module:CONSTANT` or `module:function`."""
    places: dict[str, int] = {}
    for module, tree in load_modules().items():
        for owner in tree.body:
            count = sum(_is_pattern_call(node) for node in ast.walk(owner))
            if count:
                for name in _split_owner(owner):
                    places[f"{module}:{name}"] = places.get(f"{module}:{name}", 0) + count
    return places


def _split_owner(owner: ast.stmt) -> list[str]:
    if isinstance(owner, ast.ClassDef | ast.FunctionDef):
        return [owner.name]
    targets = owner.targets if isinstance(owner, ast.Assign) else [owner.target]  # type: ignore[attr-defined]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def find_patterns(place: str) -> list[re.Pattern[Any]]:
    """Return the compiled patterns of a module constant, or nothing for a function."""
    module, name = place.split(":")
    return list(_flatten(getattr(importlib.import_module(module), name, None)))


def _flatten(value: Any) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, RegexValidator):
        yield from _flatten(value.regex)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _flatten(each)


def find_literal_patterns(place: str) -> list[tuple[re.Pattern[Any], str]]:
    """Return the literal patterns of a function or class, each with the method that is called."""
    module, name = place.split(":")
    tree = load_modules()[module]
    owner = next(
        each for each in tree.body if isinstance(each, ast.ClassDef | ast.FunctionDef) and each.name == name
    )
    found = []
    for call in ast.walk(owner):
        if isinstance(call, ast.Call) and _is_pattern_call(call) and isinstance(call.args[0], ast.Constant):
            method = call.func.attr if isinstance(call.func, ast.Attribute) else "search"
            found.append((re.compile(call.args[0].value), method))
    return found


def list_methods(place: str) -> set[str]:
    """Return the methods of a pattern constant that its module calls; of nested patterns, `finditer`."""
    module, name = place.split(":")
    tree = load_modules()[module]
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
    }
    return used & set(METHODS) or {"finditer"}


def find_uses(place: str) -> list[tuple[re.Pattern[Any], str]]:
    """Return the patterns at `place` with the methods that the source calls."""
    constants = find_patterns(place)
    if constants:
        return [(pattern, method) for pattern in constants for method in sorted(list_methods(place))]
    name = place.split(":")[1]
    return find_literal_patterns(place) if not name.isupper() else []


def list_recursive_functions() -> set[str]:
    """Return the functions and methods that call themselves, directly or through others of their module or class."""
    found = set()
    for module, tree in load_modules().items():
        for owner, body in [("", tree.body), *_classes(tree)]:
            calls = {
                each.name: _called(each, is_method=bool(owner))
                for each in body
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
            }
            found |= {f"{module}:{owner}{name}" for name in calls if name in _reach(name, calls)}
    return found


def _classes(tree: ast.Module) -> list[tuple[str, list[ast.stmt]]]:
    return [(f"{node.name}.", node.body) for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def _called(function: ast.AST, *, is_method: bool) -> set[str]:
    names = set()
    for node in ast.walk(function):
        if is_method and isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names |= {node.attr} if node.value.id in ("self", "cls") else set()
        elif not is_method and isinstance(node, ast.Name):
            names.add(node.id)
    return names


def _reach(start: str, calls: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        new = (calls[waiting.pop()] & set(calls)) - seen
        seen |= new
        waiting += new
    return seen


def build_pumped_texts(pattern: re.Pattern[Any], size: int, *, pairs: bool = True) -> Iterator[Any]:
    """Yield adversarial texts for `pattern`: runs of each character it names, and of pairs of them."""
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin1")
    letters = list(dict.fromkeys([*"a1 \n.-", *_sample(re._parser.parse(text))]))[:MAX_ALPHABET]  # type: ignore[attr-defined]
    spread = letters[:: max(1, len(letters) // MAX_PAIRED)]
    for unit in [*letters, *(a + b for a, b in product(spread, spread) if pairs and a != b)]:
        pumped = f"a{unit * size}"[: size - 1] + "\x01"
        yield pumped if isinstance(pattern.pattern, str) else pumped.encode("latin1", "replace")


def _sample(items: Any) -> Iterator[str]:
    """Yield one character for each literal and range of a parsed pattern."""
    for _operation, value in items:
        yield from _sample_value(value)


def _sample_value(value: Any) -> Iterator[str]:
    if isinstance(value, int):
        if 9 <= value < 0x110000 and not 0xD800 <= value < 0xE000:
            yield chr(value)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _sample_value(each)
    elif hasattr(value, "data"):
        yield from _sample(value.data)
