"""Readers for PDF and DOCX. The libraries are imported when a file needs them."""

import zipfile
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

from knowledge.parsing.document import Draft, ParseError, Piece

if TYPE_CHECKING:
    from pypdf import PdfReader

MAX_UNPACKED_BYTES = 200 * 1024 * 1024
MAX_PAGES = 10_000


def read_pdf(data: bytes, name: str) -> Draft:
    """One piece for each page; raises ParseError when damaged, locked, without text or too long."""
    from pypdf import PdfReader

    try:
        reader = PdfReader(BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise ParseError(f"{name}: the PDF is locked with a password")
        return _read_pages(reader, name)
    except ParseError:
        raise
    except (
        Exception
    ) as error:  # pypdf lets many kinds through on damaged files: KeyError, RecursionError, ...
        raise ParseError(f"{name}: damaged PDF ({type(error).__name__})") from error


def _read_pages(reader: "PdfReader", name: str) -> Draft:
    if len(reader.pages) > MAX_PAGES:
        raise ParseError(f"{name}: more than {MAX_PAGES} pages")
    pieces = [Piece(page.extract_text(), page=number) for number, page in enumerate(reader.pages, 1)]
    if not any(piece.text.strip() for piece in pieces):
        raise ParseError(f"{name}: the PDF holds no text (scanned pages?)")
    info = reader.metadata
    metadata = {"pages": len(pieces)} | ({"author": str(info.author)} if info and info.author else {})
    return Draft(pieces, str(info.title or "") if info else "", metadata)


def read_docx(data: bytes, name: str) -> Draft:
    """Paragraphs and tables in reading order, cut at headings; ParseError when damaged or a zip bomb."""
    _check_archive(data, name)
    from docx import Document

    try:
        document = Document(BytesIO(data))
        pieces = list(_by_style(document))
        properties = document.core_properties
        metadata = {"author": properties.author} if properties.author else {}
        return Draft(pieces, properties.title or next((p.path[0] for p in pieces if p.path), ""), metadata)
    except (
        Exception
    ) as error:  # python-docx and lxml raise KeyError, ValueError, XMLSyntaxError, ... on damaged files
        raise ParseError(f"{name}: damaged DOCX ({type(error).__name__})") from error


def _check_archive(data: bytes, name: str) -> None:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise ParseError(f"{name}: damaged DOCX (not a zip archive)") from error
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
        raise ParseError(f"{name}: larger than {MAX_UNPACKED_BYTES // 1024 // 1024} MB when unpacked")
    if any(entry.flag_bits & 1 for entry in entries):
        raise ParseError(f"{name}: the DOCX is locked with a password")


def _by_style(document: Any) -> Iterator[Piece]:
    stack: list[tuple[int, str]] = []
    lines: list[str] = []
    for block in document.iter_inner_content():
        level = _heading_level(block)
        if level is not None and block.text.strip():
            yield Piece("\n\n".join(lines), tuple(name for _, name in stack))
            stack = [entry for entry in stack if entry[0] < level] + [(level, block.text.strip())]
            lines = []
        lines.append(_text_of(block))
    yield Piece("\n\n".join(lines), tuple(name for _, name in stack))


def _heading_level(block: Any) -> int | None:
    style = (getattr(getattr(block, "style", None), "name", None) or "") if hasattr(block, "runs") else ""
    if style == "Title":
        return 0
    kind, _, level = style.partition(" ")
    return int(level) if kind == "Heading" and level.isdigit() else None


def _text_of(block: Any) -> str:
    """A paragraph's text, or a table as one `a | b` line a row; a merged cell appears once."""
    if not hasattr(block, "rows"):
        return f"- {block.text}" if "List" in (getattr(block.style, "name", "") or "") else block.text
    lines = []
    for row in block.rows:
        cells = {id(cell._tc): cell for cell in row.cells}
        texts = (
            " ".join(_text_of(inner) for inner in cell.iter_inner_content()).strip()
            for cell in cells.values()
        )
        lines.append(" | ".join(" ".join(text.split()) for text in texts))
    return "\n".join(lines)
