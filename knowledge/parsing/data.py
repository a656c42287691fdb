"""Readers for JSON and JSON Lines: a `path: value` line per value, a section per top-level key."""

import json
from collections.abc import Iterator
from typing import Any

from knowledge.parsing.document import Draft, ParseError, Piece, decode

MAX_VALUES = 500_000


def read_json(data: bytes, name: str) -> Draft:
    value = _parsed(decode(data, name), name)
    budget = iter(range(MAX_VALUES))
    try:
        if isinstance(value, dict):
            pieces = [Piece("\n".join(_lines(held, key, budget)), (key,)) for key, held in value.items()]
        elif isinstance(value, list):
            pieces = [Piece("\n".join(_lines(held, "", budget))) for held in value]
        else:
            pieces = [Piece(str(value))]
    except RecursionError:
        raise ParseError(f"{name}: nested too deep") from None
    if next(budget, None) is None:
        raise ParseError(f"{name}: more than {MAX_VALUES:,} values")
    title = value.get("title") or value.get("name") if isinstance(value, dict) else ""
    return Draft(pieces, title if isinstance(title, str) else "")


def read_json_lines(data: bytes, name: str) -> Draft:
    lines = [line for line in decode(data, name).split("\n") if line.strip()]
    budget = iter(range(MAX_VALUES))
    pieces = [Piece("\n".join(_lines(_parsed(line, name), "", budget))) for line in lines]
    if next(budget, None) is None:
        raise ParseError(f"{name}: more than {MAX_VALUES:,} values")
    return Draft(pieces)


def _parsed(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ParseError(f"{name}: not valid JSON ({error})") from error
    except RecursionError:
        raise ParseError(f"{name}: nested too deep") from None


def _lines(value: Any, path: str, budget: Iterator[int]) -> Iterator[str]:
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, held in pairs:
            inner = isinstance(value, list) and not isinstance(held, dict | list)
            yield from _lines(held, path if inner else f"{path}.{key}" if path else str(key), budget)
    elif next(budget, None) is not None and value is not None and value != "":
        yield f"{path}: {value}" if path else str(value)
