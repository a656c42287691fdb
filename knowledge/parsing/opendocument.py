"""Readers for OpenDocument texts (ODT), spreadsheets (ODS) and presentations (ODP)."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from knowledge.parsing.document import ParseError, ReaderResult, TextBlock
from knowledge.parsing.office_package import DUBLIN_CORE, OfficePackage, check_archive, report_damage
from knowledge.parsing.opendocument_text import DRAW, OFFICE, STYLE, TABLE, TEXT, BlockReader
from knowledge.parsing.options import current_options
from knowledge.parsing.sheets import TableBuilder

MAIN_PART = "content.xml"
MAX_REPEATED, MAX_COLUMNS = 1_000, 16_384
_PRESENTATION = "{urn:oasis:names:tc:opendocument:xmlns:presentation:1.0}"
_META = "{urn:oasis:names:tc:opendocument:xmlns:meta:1.0}"


def read_odt(data: bytes, name: str) -> ReaderResult:
    """Return paragraphs, lists and tables in reading order, split at headings."""
    return _read(data, name, "ODT", "text")


def read_ods(data: bytes, name: str) -> ReaderResult:
    """Return a block for each visible sheet, with the values as shown."""
    return _read(data, name, "ODS", "spreadsheet")


def read_odp(data: bytes, name: str) -> ReaderResult:
    """Return a page for each slide, with its notes."""
    return _read(data, name, "ODP", "presentation")


def _read(data: bytes, name: str, kind: str, body: str) -> ReaderResult:
    if MAIN_PART not in check_archive(data, name, kind):
        raise ParseError(f"{name}: damaged {kind} (it has no {MAIN_PART})")
    with report_damage(name, kind):
        package = OfficePackage(data, MAIN_PART)
        if b"encryption-data" in (package.read_raw("META-INF/manifest.xml") or b""):
            raise ParseError(f"{name}: the {kind} is locked with a password")
        root = package.parse(MAIN_PART)
        content = root.find(f"{OFFICE}body/{OFFICE}{body}")
        if content is None:
            raise ParseError(f"{name}: this is another type of OpenDocument file, not {kind}")
        document = _OpenDocument(package, root, name)
        pieces = list(_READERS[body](document, content))
        title, metadata = document.read_properties()
    title = title or (
        next((piece.path[0] for piece in pieces if piece.path), "") if body != "spreadsheet" else ""
    )
    return ReaderResult(pieces, title, metadata, document.warnings)


class _OpenDocument:
    """Reading state of one document."""

    def __init__(self, package: OfficePackage, root: Any, name: str) -> None:
        self.warnings: Counter[str] = Counter()
        self._package, self._root, self._name = package, root, name
        self._blocks = BlockReader(package, root, self.warnings)

    def read_properties(self) -> tuple[str, dict[str, Any]]:
        """Return title and author."""
        root = self._package.parse("meta.xml")
        if root is None:
            return "", {}
        meta = root.find(f"{OFFICE}meta")
        names = (f"{_META}initial-creator", f"{DUBLIN_CORE}creator")
        author = next((text for each in names if meta is not None and (text := meta.findtext(each))), "")
        title = meta.findtext(f"{DUBLIN_CORE}title") if meta is not None else ""
        return title or "", {"author": author} if author else {}

    def read_text(self, content: Any) -> Iterator[TextBlock]:
        """Yield the text under each heading, then headers and footers."""
        stack: list[tuple[int, str]] = []
        lines: list[str] = []
        for level, text in self._blocks.iter_blocks(content):
            if level is not None and text.strip():
                yield TextBlock("\n\n".join(lines), tuple(name for _, name in stack))
                stack = [entry for entry in stack if entry[0] < level] + [(level, " ".join(text.split()))]
                lines = []
            if text.strip():
                lines.append(text)
        yield TextBlock("\n\n".join(lines), tuple(name for _, name in stack))
        if repeated := list(dict.fromkeys(self._read_headers())):
            yield TextBlock("\n".join(repeated), ("Headers and footers",))

    def _read_headers(self) -> Iterator[str]:
        root = self._package.parse("styles.xml")
        names = ("header", "footer", "header-first", "footer-first", "header-left", "footer-left")
        for element in root.iter(*(STYLE + name for name in names)) if root is not None else ():
            for _, text in self._blocks.iter_blocks(element):
                if (line := " ".join(text.split())) and not line.strip("-–— ").isdecimal():
                    yield line

    def read_slides(self, content: Any) -> Iterator[TextBlock]:
        """Yield a block for each slide."""
        for number, page in enumerate(content.iterchildren(f"{DRAW}page"), 1):
            title = next(
                (each for each in page.iter(f"{DRAW}frame") if each.get(f"{_PRESENTATION}class") == "title"),
                None,
            )
            heading = " ".join(" ".join(title.itertext()).split()) if title is not None else ""
            texts = [text for _, text in self._blocks.iter_blocks(page) if text.strip()]
            for notes in page.iterchildren(f"{_PRESENTATION}notes"):
                words = "\n".join(text for _, text in self._blocks.iter_blocks(notes) if text.strip())
                texts += [f"Notes: {words}"] if words else []
            yield TextBlock("\n\n".join(texts), (heading,) if heading else (), number)

    def read_sheets(self, content: Any) -> Iterator[TextBlock]:
        """Yield a block for each visible sheet, then its comments."""
        hidden = {
            style.get(f"{STYLE}name")
            for style in self._root.iter(f"{STYLE}style")
            for properties in style.iterchildren(f"{STYLE}table-properties")
            if properties.get(f"{TABLE}display") == "false"
        }
        for table in content.iterchildren(f"{TABLE}table"):
            if table.get(f"{TABLE}style-name") in hidden:
                self.warnings["hidden_sheets"] += 1
                continue
            title = table.get(f"{TABLE}name") or ""
            builder, comments = TableBuilder((title,), self._name), []
            for row in table.iter(f"{TABLE}table-row"):
                cells, notes = self._read_row(row)
                comments += notes
                for _ in range(_get_count(row, "number-rows-repeated", MAX_REPEATED) if cells else 0):
                    builder.add_row(cells)
            yield from builder.build()
            if comments:
                yield TextBlock("\n".join(comments), (title, "Comments"))

    def _read_row(self, row: Any) -> tuple[dict[int, str], list[str]]:
        """Return the filled cells of a row by column, and its comments."""
        cells: dict[int, str] = {}
        comments: list[str] = []
        column = 0
        for cell in row.iterchildren(f"{TABLE}table-cell", f"{TABLE}covered-table-cell"):
            count = _get_count(cell, "number-columns-repeated", MAX_COLUMNS)
            paragraphs = cell.iterchildren(f"{TEXT}p", f"{TEXT}h")
            text = " ".join(" ".join(self._blocks.read_paragraph(each).split()) for each in paragraphs)
            comments += self._blocks.pop_attached()
            for note in (
                cell.iterchildren(f"{OFFICE}annotation") if current_options.get().has_comments else ()
            ):
                comments.append(self._blocks.format_comment(note))
            if text.strip():
                cells |= dict.fromkeys(range(column, min(column + count, MAX_COLUMNS)), text)
            elif cell.get(f"{TABLE}formula") and not cell.get(f"{OFFICE}value-type"):
                self.warnings["formulas_without_value"] += 1
            column += count
        return cells, comments


def _get_count(element: Any, name: str, most: int) -> int:
    text = element.get(TABLE + name) or "1"
    return min(int(text), most) if text.isdecimal() and len(text) < 10 else 1


_READERS = {
    "text": _OpenDocument.read_text,
    "spreadsheet": _OpenDocument.read_sheets,
    "presentation": _OpenDocument.read_slides,
}
