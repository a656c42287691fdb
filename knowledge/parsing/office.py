"""Readers for PDF and DOCX, which import their libraries on demand."""

from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

from knowledge.parsing.document import ParseError, ReaderResult, TextBlock
from knowledge.parsing.office_package import check_package

if TYPE_CHECKING:
    from pypdf import PdfReader

MAX_PAGES = 10_000
MAX_BOOKMARKS, MAX_DEPTH = 20, 6
# Replace ligatures and remove soft hyphens; otherwise a search for "flashes" would not match.
GLYPHS = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\u00ad": ""}
)


def read_pdf(data: bytes, name: str) -> ReaderResult:
    """Return one block per page.

    Raises:
        ParseError: If the file is damaged, encrypted, too long or has no text.
    """
    from pypdf import PdfReader

    try:
        reader = PdfReader(BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise ParseError(f"{name}: the PDF is locked with a password")
        return _read_pages(reader, name)
    except (ParseError, MemoryError):
        raise
    except (
        Exception
    ) as error:  # pypdf lets many kinds through on damaged files: KeyError, RecursionError, ...
        raise ParseError(f"{name}: damaged PDF ({type(error).__name__})") from error


def _read_pages(reader: "PdfReader", name: str) -> ReaderResult:
    if len(reader.pages) > MAX_PAGES:
        raise ParseError(f"{name}: more than {MAX_PAGES} pages")
    headings = _outline(reader)
    pieces = [
        TextBlock(page.extract_text().translate(GLYPHS), headings.get(number, ()), number)
        for number, page in enumerate(reader.pages, 1)
    ]
    if not any(piece.text.strip() for piece in pieces):
        raise ParseError(f"{name}: the PDF holds no text (scanned pages?)")
    info = reader.metadata
    metadata = {"pages": len(pieces)} | ({"author": str(info.author)} if info and info.author else {})
    return ReaderResult(pieces, str(info.title or "") if info else "", metadata)


def _outline(reader: "PdfReader") -> dict[int, tuple[str, ...]]:
    """Return the bookmark path of each page, outermost first."""
    begins: dict[int, list[tuple[int, str]]] = {}
    try:
        _collect(reader, reader.outline, 0, begins)
    except Exception:  # noqa: BLE001 - bookmarks are optional; ignore broken ones
        return {}
    stack: list[tuple[int, str]] = []
    found = {}
    for number in range(1, len(reader.pages) + 1):
        for depth, title in begins.get(number, ())[:MAX_BOOKMARKS]:
            stack = [entry for entry in stack if entry[0] < depth] + [(depth, title)]
        found[number] = tuple(title for _, title in stack)
    return found


def _collect(reader: "PdfReader", entries: Any, depth: int, begins: dict[int, list[tuple[int, str]]]) -> None:
    for entry in entries if depth < MAX_DEPTH else ():
        if isinstance(entry, list):
            _collect(reader, entry, depth + 1, begins)
        elif (page := reader.get_destination_page_number(entry)) is not None and entry.title:
            begins.setdefault(page + 1, []).append((depth, str(entry.title)[:200]))


def read_docx(data: bytes, name: str) -> ReaderResult:
    """Return paragraphs and tables in reading order, split at headings.

    Raises:
        ParseError: If the file is damaged or a zip bomb.
    """
    check_package(data, name, "DOCX", "word/document.xml")
    from docx import Document

    try:
        document = Document(BytesIO(data))
        pieces = list(_by_style(document))
        properties = document.core_properties
        metadata = {"author": properties.author} if properties.author else {}
        return ReaderResult(
            pieces, properties.title or next((p.path[0] for p in pieces if p.path), ""), metadata
        )
    except MemoryError:
        raise
    except (
        Exception
    ) as error:  # python-docx and lxml raise KeyError, ValueError, XMLSyntaxError, ... on damaged files
        raise ParseError(f"{name}: damaged DOCX ({type(error).__name__})") from error


def _by_style(document: Any) -> Iterator[TextBlock]:
    stack: list[tuple[int, str]] = []
    lines: list[str] = []
    for block in document.iter_inner_content():
        level = _heading_level(block)
        if level is not None and block.text.strip():
            yield TextBlock("\n\n".join(lines), tuple(name for _, name in stack))
            stack = [entry for entry in stack if entry[0] < level] + [(level, block.text.strip())]
            lines = []
        lines.append(_text_of(block))
    yield TextBlock("\n\n".join(lines), tuple(name for _, name in stack))


def _heading_level(block: Any) -> int | None:
    style = (getattr(getattr(block, "style", None), "name", None) or "") if hasattr(block, "runs") else ""
    if style == "Title":
        return 0
    kind, _, level = style.partition(" ")
    return int(level) if kind == "Heading" and level.isdigit() else None


def _text_of(block: Any) -> str:
    """Return a paragraph's text, or a table as one `a | b` line per row."""
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
