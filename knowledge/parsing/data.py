"""Readers for JSON and JSON Lines: a `path: value` line per value, a section per top-level key."""

import json
from collections.abc import Iterator
from typing import Any

from knowledge.parsing.document import ParseError, ReaderResult, TextBlock, decode

MAX_VALUES = 500_000


def read_json(data: bytes, name: str) -> ReaderResult:
    value = _parse_json(decode(data, name), name)
    budget = iter(range(MAX_VALUES))
    try:
        if isinstance(value, dict):
            pieces = [
                TextBlock("\n".join(_iter_lines(held, key, budget)), (key,)) for key, held in value.items()
            ]
        elif isinstance(value, list):
            pieces = [TextBlock("\n".join(_iter_lines(held, "", budget))) for held in value]
        else:
            pieces = [TextBlock(str(value))]
    except RecursionError:
        raise ParseError(f"{name}: nested too deep") from None
    if next(budget, None) is None:
        raise ParseError(f"{name}: more than {MAX_VALUES:,} values")
    title = value.get("title") or value.get("name") if isinstance(value, dict) else ""
    return ReaderResult(pieces, title if isinstance(title, str) else "")


def read_json_lines(data: bytes, name: str) -> ReaderResult:
    lines = [line for line in decode(data, name).split("\n") if line.strip()]
    budget = iter(range(MAX_VALUES))
    pieces = [TextBlock("\n".join(_iter_lines(_parse_json(line, name), "", budget))) for line in lines]
    if next(budget, None) is None:
        raise ParseError(f"{name}: more than {MAX_VALUES:,} values")
    return ReaderResult(pieces)


def _parse_json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ParseError(f"{name}: not valid JSON ({error})") from error
    except RecursionError:
        raise ParseError(f"{name}: nested too deep") from None


def _iter_lines(value: Any, path: str, budget: Iterator[int]) -> Iterator[str]:
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, held in pairs:
            inner = isinstance(value, list) and not isinstance(held, dict | list)
            yield from _iter_lines(held, path if inner else f"{path}.{key}" if path else str(key), budget)
    elif next(budget, None) is not None and value is not None and value != "":
        yield f"{path}: {value}" if path else str(value)
