"""Reader for PDF, which imports its library on demand."""

from io import BytesIO
from typing import TYPE_CHECKING, Any

from knowledge.parsing.document import ParseError, ReaderResult, TextBlock

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
