"""Parsing of files into clean text with sections; see `formats` for the file types.

PostgreSQL can store every returned text (no NUL, no lone surrogate). Section offsets satisfy
`document.text[section.start:section.end] == section.text`.
"""

import os
import time
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePath

from knowledge.parsing.document import (
    ParsedDocument,
    ParseError,
    ReaderResult,
    Section,
    clean_content,
    clean_data,
)
from knowledge.parsing.formats import (
    BINARY,
    COLLECTED,
    PLAIN_NAMES,
    SUPPORTED,
    check_signature,
    get_media_suffix,
    get_reader,
    get_suffix,
    is_supported_name,
)
from knowledge.parsing.options import ParseOptions, current_options, ocr_deadline
from knowledge.parsing.parse_warnings import build_warnings

__all__ = (
    "COLLECTED",
    "MAX_BYTES",
    "MAX_TEXT",
    "SUPPORTED",
    "ParseError",
    "ParseOptions",
    "ParsedDocument",
    "Section",
    "discover",
    "get_media_suffix",
    "get_suffix",
    "is_supported_name",
    "parse",
    "parse_bytes",
)

MAX_BYTES = 50 * 1024 * 1024

MAX_TEXT = 10_000_000


def parse(path: Path, *, max_bytes: int = MAX_BYTES, options: ParseOptions | None = None) -> ParsedDocument:
    """Parse the file at `path`.

    Raises:
        ParseError: If it is missing, too large, binary, damaged, encrypted or empty.
    """
    path = Path(path)
    if not path.is_file():
        raise ParseError(f"{path.name}: no such file")
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise ParseError(f"{path.name}: cannot be read ({error.strerror})") from error
    return parse_bytes(data, str(path), max_bytes=max_bytes, options=options)


def parse_bytes(
    data: bytes, name: str, *, max_bytes: int = MAX_BYTES, options: ParseOptions | None = None
) -> ParsedDocument:
    """Parse a document from memory; the suffix of `name` determines the format.

    Raises:
        ParseError: If it cannot be parsed.
    """
    path = PurePath(name)
    if len(data) > max_bytes:
        raise ParseError(f"{path.name}: larger than {max_bytes // 1024 // 1024} MB")
    if path.suffix.lower() == ".gz":
        data, path = _gunzip(data, path), path.with_suffix("")
        if get_suffix(path) in BINARY:
            raise ParseError(f"{path.name}.gz: only text may be gzipped")
    if not data.strip():
        raise ParseError(f"{path.name}: the file is empty")
    check_signature(data, path)
    media_type, reader = get_reader(path)
    followed = options or ParseOptions()
    tokens = current_options.set(followed), ocr_deadline.set(time.monotonic() + followed.ocr_seconds)
    try:
        return _build_document(reader(data, path.name), path, media_type)
    finally:
        current_options.reset(tokens[0])
        ocr_deadline.reset(tokens[1])


def discover(path: Path) -> Iterator[Path]:
    """Yield supported files under `path` in a fixed order, skipping hidden files, symlinks and images.

    A path to a file is always yielded, so that an unsupported file causes an error instead of being ignored.
    Raises ParseError if `path` does not exist.
    """
    path = Path(path)
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise ParseError(f"{path}: no such file or folder")
    for folder, folders, names in os.walk(path, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder, name)
            if not name.startswith(".") and file.is_file() and not file.is_symlink() and _is_readable(file):
                yield file


def _gunzip(data: bytes, path: PurePath) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(data, MAX_BYTES + 1)
    except zlib.error as error:
        raise ParseError(f"{path.name}: damaged gzip data") from error
    if len(unpacked) > MAX_BYTES:
        raise ParseError(f"{path.name}: larger than {MAX_BYTES // 1024 // 1024} MB when unpacked")
    if not unpacker.eof:
        raise ParseError(f"{path.name}: the gzip data ends early")
    return unpacked


def _is_readable(file: Path) -> bool:
    inner = file.with_suffix("") if file.suffix.lower() == ".gz" else file
    suffix = get_suffix(inner)
    if suffix or file is not inner:
        return suffix in COLLECTED
    with file.open("rb") as stream:
        return b"\0" not in stream.read(1024)


def _build_document(draft: ReaderResult, path: PurePath, media_type: str) -> ParsedDocument:
    sections: list[Section] = []
    parts: list[str] = []
    position = 0
    for piece in draft.pieces:
        text = clean_content(piece.text).strip("\n").rstrip()
        if not text.strip():
            continue
        if parts:
            parts.append("\n\n")
            position += 2
        title = " > ".join(clean_content(name) for name in piece.path)
        sections.append(Section(title, text, piece.page, position, position + len(text)))
        parts.append(text)
        position += len(text)
        if position > MAX_TEXT:
            raise ParseError(f"{path.name}: more than {MAX_TEXT:,} characters of text")
    if not sections:
        raise ParseError(f"{path.name}: the file contains no text")
    title = " ".join(clean_content(draft.title).split())[:200] or _get_title(path)
    metadata, warnings = clean_data(draft.metadata), build_warnings(draft.warnings)
    return ParsedDocument("".join(parts), title, media_type, sections, metadata, warnings)


def _get_title(path: PurePath) -> str:
    stem = path.stem if get_suffix(path) else path.name
    generic = stem.split(".")[0].lower() in PLAIN_NAMES | {"index", "__init__"}
    return f"{path.parent.name}/{stem}" if generic and path.parent.name else stem
