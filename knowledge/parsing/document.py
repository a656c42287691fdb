"""Types and helpers shared by the format readers."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from unicodedata import normalize

BINARY_CONTROL_SHARE = 0.05
MAX_METADATA, MAX_METADATA_TEXT = 100, 1000
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff]")

# Soft hyphen, word joiner, byte order mark, and zero-width space except in scripts that separate words by it.
_INVISIBLE = re.compile(
    "[\u00ad\u2060\ufeff]|(?<![\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u200b])\u200b+(?![\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff])"
)


class ParseError(Exception):
    """The file cannot be parsed; the message explains why to the user."""


@dataclass(frozen=True, slots=True)
class Section:
    """A run of text under one heading path; `start` and `end` are offsets in the document's text."""

    title: str
    text: str
    page: int | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """A parsed file: text, title, media type and sections in reading order.

    `warnings` lists what was not read: `{"code": "needs_ocr", "count": 2, "message": "2 pages ..."}`.
    """

    text: str
    title: str
    media_type: str
    sections: list[Section]
    metadata: dict[str, Any] = field(default_factory=dict)
    warnings: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TextBlock:
    """A block of text from a format reader, before offsets are computed."""

    text: str
    path: tuple[str, ...] = ()
    page: int | None = None


@dataclass(slots=True)
class ReaderResult:
    """Result of a format reader; the title is empty if the format has none.

    `warnings` counts by code (see `parse_warnings`) what was not read. It is complete after the last of `pieces`.
    """

    pieces: Iterable[TextBlock]
    title: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    warnings: Counter[str] = field(default_factory=Counter)


def clean_text(text: str) -> str:
    """Normalize line endings and remove control characters and lone surrogates."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n")
    return _CONTROL.sub("", text)


def clean_content(text: str) -> str:
    """Clean the text of a document: one code point for an accented letter, no invisible characters."""
    return normalize("NFC", _INVISIBLE.sub("", clean_text(text)))


def clean_data(value: Any) -> Any:
    """Clean and truncate file metadata, so that PostgreSQL can store it as JSON."""
    if isinstance(value, dict):
        return {
            clean_text(str(key))[:100]: clean_data(held) for key, held in islice(value.items(), MAX_METADATA)
        }
    if isinstance(value, list):
        return [clean_data(held) for held in value[:MAX_METADATA]]
    return clean_text(value)[:MAX_METADATA_TEXT] if isinstance(value, str) else value


def decode(data: bytes, name: str = "text") -> str:
    """Decode by byte order mark, else as UTF-8, else line by line.

    Raises:
        ParseError: If the data is binary.
    """
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return clean_text(data.decode(encoding, errors="replace").removeprefix("\ufeff"))
    try:
        text = data.decode()
    except UnicodeDecodeError:
        if b"\0" in data:
            raise ParseError(f"{name}: binary data, not a document") from None
        text = "".join(map(_line, data.splitlines(keepends=True)))
    head = text[:65536]
    if len(_CONTROL.findall(head)) > BINARY_CONTROL_SHARE * len(head):
        raise ParseError(f"{name}: binary data, not a document")
    return clean_text(text)


def _line(data: bytes) -> str:
    """Decode a line of a file with mixed encodings: UTF-8, else Windows-1252."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252" if not set(data) & {0x81, 0x8D, 0x8F, 0x90, 0x9D} else "latin-1")
