"""Reader for EPUB: the chapters in the order of the book."""

import posixpath
from collections import Counter
from collections.abc import Iterator
from urllib.parse import unquote

from knowledge.parsing.document import ParseError, ReaderResult, TextBlock
from knowledge.parsing.office_package import DUBLIN_CORE, OfficePackage, check_archive, report_damage
from knowledge.parsing.web import read_html

CONTAINER = "META-INF/container.xml"
MAX_CHAPTERS = 5_000


def read_epub(data: bytes, name: str) -> ReaderResult:
    """Return the chapters of a book, split at headings.

    Raises:
        ParseError: If the file is damaged, protected or a zip bomb.
    """
    if CONTAINER not in check_archive(data, name, "EPUB"):
        raise ParseError(f"{name}: damaged EPUB (it has no {CONTAINER})")
    with report_damage(name, "EPUB"):
        package = OfficePackage(data, CONTAINER)
        main = package.parse(CONTAINER).find(".//{*}rootfile").get("full-path")
        root = package.parse(main)
        warnings: Counter[str] = Counter()
        chapters = list(_list_chapters(package, root, main))
        protected = package.read_raw("META-INF/encryption.xml") or b""
        if any(posixpath.basename(part).encode() in protected for part in chapters):
            raise ParseError(f"{name}: the EPUB is protected against copying")
        pieces = [piece for part in chapters for piece in _read_chapter(package, part, warnings)]
        title, author = (root.findtext(f".//{DUBLIN_CORE}{key}") or "" for key in ("title", "creator"))
    return ReaderResult(pieces, title, {"author": author} if author else {}, warnings)


def _list_chapters(package: OfficePackage, root: object, main: str) -> Iterator[str]:
    """Yield the parts of the spine."""
    items = {item.get("id"): item for item in root.iterfind("{*}manifest/{*}item")}  # type: ignore[attr-defined]
    for number, reference in enumerate(root.iterfind("{*}spine/{*}itemref")):  # type: ignore[attr-defined]
        item = items.get(reference.get("idref"))
        if item is not None and number < MAX_CHAPTERS and "html" in (item.get("media-type") or "html"):
            yield posixpath.normpath(posixpath.join(posixpath.dirname(main), unquote(item.get("href") or "")))


def _read_chapter(package: OfficePackage, part: str, warnings: Counter[str]) -> Iterator[TextBlock]:
    data = package.read_raw(part)
    if data is None:
        warnings["parts_not_read"] += 1
        return
    draft = read_html(data, posixpath.basename(part))
    warnings.update(draft.warnings)
    pieces = list(draft.pieces)
    # A chapter without headings has its title in the head only.
    title = (draft.title,) if draft.title and not any(piece.path for piece in pieces) else ()
    yield from (TextBlock(piece.text, (*title, *piece.path)) for piece in pieces)
