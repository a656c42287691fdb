"""Documents as YAML and JSON text.

Only what JSON can represent is read from YAML: no anchors, aliases and tags, no dates, and only `true` and `false` as
booleans. Text that is written and read again is identical.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
INTEGER = re.compile(r"-?(?:0|[1-9]\d*)", re.ASCII)
# PostgreSQL stores neither.
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
NUMBER = re.compile(r"-?\d+\.\d*(?:[eE][-+]?\d{1,3})?|-?\d+[eE][-+]?\d{1,3}", re.ASCII)
# Valid in JSON, but not printable or line breaks in YAML.
ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
CONSTANTS = {"": None, "~": None, "null": None, "true": True, "false": False}
Path = tuple[str | int, ...]


class DocumentError(ValueError):
    """Text that is not a document. `line` counts from 1; 0 is unknown."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(f"Line {line}: {message}" if line else message)
        self.message, self.line = message, line


@dataclass
class Document:
    """A parsed document, with the line of each value by path."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)

    def find_line(self, path: Path) -> int:
        """Return the line of the value at `path`, or of the innermost value around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def load_document(text: str | bytes) -> Document:
    """Parse YAML or JSON.

    Raises:
        DocumentError: the text is malformed, larger than 1 MB, nested too deeply, or uses anchors or tags.
    """
    data = text.encode() if isinstance(text, str) else text
    if len(data) > MAX_BYTES:
        raise DocumentError(f"The document is larger than {MAX_BYTES} bytes.")
    try:
        return _Builder(yaml.parse(data.decode("utf-8-sig"), Loader=LOADER)).build()
    except UnicodeDecodeError as error:
        raise DocumentError("The document is not UTF-8.") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise DocumentError(f"{error.problem or error.context}.", mark.line + 1 if mark else 0) from error
    except yaml.YAMLError as error:
        raise DocumentError("The document contains invalid characters.") from error


def dump_document(value: Any, *, as_json: bool = False) -> str:
    """Return JSON values as YAML or JSON, with sorted keys."""
    if as_json:
        encoded = json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False) + "\n"
        return ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", encoded)
    text: str = yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=True, width=100)
    return text


class _Builder:
    """Values of a stream of YAML events."""

    def __init__(self, events: Iterator[Any]) -> None:
        self.events = events
        self.document = Document()

    def build(self) -> Document:
        event = self._next()
        while isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
            event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            raise DocumentError("The document is empty.")
        self.document.value = self._build(event, ())
        self._next()
        if not isinstance(event := self._next(), yaml.StreamEndEvent):
            raise DocumentError("The text contains more than one document.", event.start_mark.line + 1)
        return self.document

    def _next(self) -> Any:
        event = next(self.events)
        if getattr(event, "anchor", None):
            raise DocumentError("Anchors and aliases are not allowed.", event.start_mark.line + 1)
        return event

    def _build(self, event: Any, path: Path) -> Any:
        line = event.start_mark.line + 1
        if len(path) > MAX_DEPTH:
            raise DocumentError(f"The document is nested more than {MAX_DEPTH} levels deep.", line)
        self.document.lines[path] = line
        if event.tag not in (None, "!"):
            raise DocumentError("Tags are not allowed.", line)
        if isinstance(event, yaml.ScalarEvent):
            is_plain = event.implicit[0] and event.style in (None, "")
            return _resolve_scalar(event.value, line) if is_plain else _check_text(event.value, line)
        return (
            self._build_list(path)
            if isinstance(event, yaml.SequenceStartEvent)
            else self._build_mapping(path)
        )

    def _build_list(self, path: Path) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            found.append(self._build(event, (*path, len(found))))
        return found

    def _build_mapping(self, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent) or event.tag not in (None, "!"):
                raise DocumentError("A key must be text.", line)
            key = _check_text(event.value, line)
            if key in found:
                raise DocumentError(f"The key {key[:100]} occurs twice.", line)
            found[key] = self._build(self._next(), (*path, key))
        return found


def _resolve_scalar(text: str, line: int = 0) -> Any:
    """Return the value of an unquoted scalar, as in the core schema of YAML 1.2."""
    if text in CONSTANTS:
        return CONSTANTS[text]
    if INTEGER.fullmatch(text):
        if len(text) > 20 or not -(2**63) <= int(text) < 2**63:
            raise DocumentError("The integer does not fit into 64 bits. Quote it to write text.", line)
        return int(text)
    if len(text) <= 40 and NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return _check_text(text, line)


def _check_text(text: str, line: int) -> str:
    if UNSTORABLE.search(text):
        raise DocumentError("The document contains invalid characters.", line)
    return text


LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Dumper(yaml.SafeDumper):
    """YAML without aliases, with texts of several lines as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        is_number = text in CONSTANTS or INTEGER.fullmatch(text) or NUMBER.fullmatch(text)
        # Readers take some of the escaped characters for line breaks.
        is_quoted = is_number or ESCAPED.search(text)
        style = '"' if is_quoted else "|" if "\n" in text else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    def represent_number(self, number: float) -> yaml.ScalarNode:
        text = json.dumps(number, allow_nan=False)
        # PyYAML writes a number without a point as text with a tag.
        text = text if "." in text else text.replace("e", ".0e")
        return self.represent_scalar("tag:yaml.org,2002:float", text)


_Dumper.add_representer(str, _Dumper.represent_text)
_Dumper.add_representer(float, _Dumper.represent_number)
