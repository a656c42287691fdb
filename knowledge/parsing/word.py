"""Reader for DOCX: paragraphs, lists, tables, notes, comments, headers and shapes in reading order."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from knowledge.parsing.document import ReaderResult, TextBlock
from knowledge.parsing.office_package import OfficePackage, check_package, report_damage
from knowledge.parsing.options import current_options
from knowledge.parsing.word_numbering import WORD, Numbering, StyleSheet
from knowledge.parsing.word_text import RELATIONSHIP, ParagraphReader

MAIN_PART = "word/document.xml"
MAX_NESTED_TABLES = 20
# Elements whose children are blocks.
_WRAPPERS = frozenset(
    WORD + name
    for name in ("sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag", "body", "txbxContent")
)
_DELETED = frozenset(WORD + name for name in ("del", "moveFrom", "sdtPr"))


def read_docx(data: bytes, name: str) -> ReaderResult:
    """Return paragraphs and tables in reading order, split at headings.

    Raises:
        ParseError: If the file is damaged or a zip bomb.
    """
    check_package(data, name, "DOCX", MAIN_PART)
    with report_damage(name, "DOCX"):
        package = OfficePackage(data, MAIN_PART)
        document = _WordDocument(package)
        pieces = list(document.read())
        title, metadata = package.read_properties()
    title = title or next((piece.path[0] for piece in pieces if piece.path), "")
    return ReaderResult(pieces, title, metadata, document.warnings)


class _WordDocument:
    """Reading state of one document."""

    def __init__(self, package: OfficePackage) -> None:
        self.warnings: Counter[str] = Counter()
        self._package = package
        self._readers: dict[str, ParagraphReader] = {}
        self._relationships = package.list_relationships(package.main_part)
        self._styles = StyleSheet(self._parse_related("styles"))
        self._numbering = Numbering(self._parse_related("numbering"), self._styles)
        self._notes = {kind: self._read_notes(kind) for kind in ("footnotes", "endnotes")}
        self._notes["comments"] = self._read_notes("comments") if current_options.get().has_comments else {}
        self._reader = self._get_reader(package.main_part)

    def _parse_related(self, kind: str) -> Any:
        part = next((each.target for each in self._relationships.values() if each.kind == kind), None)
        return self._package.parse(part) if part else None

    def _get_reader(self, part: str) -> ParagraphReader:
        if part not in self._readers:
            links = self._package.list_relationships(part)
            self._readers[part] = ParagraphReader(self._package, links, self._read_blocks, self.warnings)
        return self._readers[part]

    def _read_notes(self, kind: str) -> dict[str, Any]:
        root = self._parse_related(kind)
        notes = root.iterchildren("*") if root is not None else ()
        return {
            note.get(f"{WORD}id") or "": note
            for note in notes
            if note.get(f"{WORD}type", "normal") == "normal"  # others are separator lines
        }

    def read(self) -> Iterator[TextBlock]:
        """Yield the text under each heading, then headers and footers."""
        root = self._package.parse(self._package.main_part)
        if root is None:
            raise KeyError(self._package.main_part)
        stack: list[tuple[int, str]] = []
        lines: list[str] = []
        for level, text in self._iter_body(root):
            if level is not None and text.strip():
                yield TextBlock("\n\n".join(lines), tuple(name for _, name in stack))
                stack = [entry for entry in stack if entry[0] < level] + [(level, " ".join(text.split()))]
                lines = []
            if text:
                lines.append(text)
        yield TextBlock("\n\n".join(lines), tuple(name for _, name in stack))
        yield from self._read_unreferenced_notes()
        if repeated := list(dict.fromkeys(self._read_headers(root))):
            yield TextBlock("\n".join(repeated), ("Headers and footers",))

    def _iter_body(self, parent: Any) -> Iterator[tuple[int | None, str]]:
        """Yield the blocks of the body with the level of headings; adjacent list items are one block."""
        items: list[str] = []
        for block in _iter_blocks(parent):
            level, text, is_item = self._read_block(block)
            attached = self._read_attached()
            if is_item and level is None:
                items += [text, *attached]
                continue
            if items:
                yield None, "\n".join(items)
                items = []
            yield level, text
            for each in attached:
                yield None, each
        if items:
            yield None, "\n".join(items)

    def _read_block(self, block: Any) -> tuple[int | None, str, bool]:
        """Return the heading level of a block, its text and whether it is a list item."""
        if block.tag == f"{WORD}tbl":
            return None, "\n".join(self._read_table(block)), False
        if block.tag != f"{WORD}p":
            return None, self._reader.read(block), False
        text = self._reader.read(block)
        if not text.strip():
            return None, "", False
        properties = block.find(f"{WORD}pPr")
        number = self._numbering.number_paragraph(properties)
        level = self._styles.get_heading_level(properties)
        if level is not None:
            return level, f"{number or ''}{text}".strip(), False
        return None, f"{number or ''}{text}", number is not None

    def _read_blocks(self, parent: Any) -> Iterator[str]:
        """Yield the texts of the blocks in a cell, note or text box."""
        for block in _iter_blocks(parent):
            if text := self._read_block(block)[1].strip("\n"):
                yield text

    def _read_attached(self) -> list[str]:
        """Return the shapes of the last block and the notes that it refers to."""
        found = self._reader.pop_attached()
        for kind, number in self._reader.pop_references():
            note = self._notes[kind].pop(number, None)
            if note is not None:
                found += self._format_note(kind, number, note)
        return found

    def _format_note(self, kind: str, number: str, note: Any) -> list[str]:
        outer, self._reader = self._reader, self._get_reader(self._find_part(kind))
        try:
            text = " ".join(" ".join(self._read_blocks(note)).split())
            attached = self._reader.pop_attached()
        finally:
            self._reader = outer
        author = note.get(f"{WORD}author") or ""
        label = f"[{number}]" if kind != "comments" else f"Comment ({author}):" if author else "Comment:"
        return ([f"{label} {text}"] if text else []) + attached

    def _find_part(self, kind: str) -> str:
        return next(each.target for each in self._relationships.values() if each.kind == kind)

    def _read_unreferenced_notes(self) -> Iterator[TextBlock]:
        for kind, notes in self._notes.items():
            lines = [line for key, note in notes.items() for line in self._format_note(kind, key, note)]
            if lines:
                yield TextBlock("\n\n".join(lines), (kind.capitalize(),))

    def _read_headers(self, root: Any) -> Iterator[str]:
        """Yield the lines of all headers and footers, without those that are only a page number."""
        references = root.iter(f"{WORD}headerReference", f"{WORD}footerReference")
        parts = dict.fromkeys(each.get(f"{RELATIONSHIP}id") or "" for each in references)
        for relationship in (self._relationships.get(part) for part in parts):
            header = self._package.parse(relationship.target) if relationship else None
            if header is None or relationship is None:
                continue
            self._reader = self._get_reader(relationship.target)
            for text in [*self._read_blocks(header), *self._reader.pop_attached()]:
                if text.strip().strip("-–— ").isdecimal():
                    continue
                yield " ".join(text.split())

    def _read_table(self, table: Any, depth: int = 0) -> Iterator[str]:
        """Yield a line per row: `a | b | c`. A cell merged over rows repeats, a nested table follows its row."""
        above: dict[int, str] = {}
        for row in _iter_rows(table):
            cells, nested, column = [], [], 0
            for cell in _iter_cells(row):
                text, tables = self._read_cell(cell)
                span, is_continued = _get_merge(cell)
                if is_continued and not text:
                    text = above.get(column, "")
                above[column] = text
                cells.append(text)
                nested += tables
                column += span
            if any(cells):
                yield " | ".join(" ".join(text.split()) for text in cells) if len(cells) > 1 else cells[0]
            for inner in nested if depth < MAX_NESTED_TABLES else ():
                yield from self._read_table(inner, depth + 1)

    def _read_cell(self, cell: Any) -> tuple[str, list[Any]]:
        """Return the text of a cell and the tables in it."""
        blocks = list(_iter_blocks(cell))
        tables = [block for block in blocks if block.tag == f"{WORD}tbl"]
        texts = (self._read_block(block)[1] for block in blocks if block.tag != f"{WORD}tbl")
        return "\n".join(text for text in texts if text.strip()).strip(), tables


def _iter_blocks(parent: Any) -> Iterator[Any]:
    """Yield paragraphs and tables, also those in content controls and insertions, but no deleted ones."""
    for child in parent.iterchildren("*"):
        if child.tag in _WRAPPERS:
            yield from _iter_blocks(child)
        elif child.tag not in _DELETED and not child.tag.endswith("Pr"):
            yield child


def _iter_rows(table: Any) -> Iterator[Any]:
    for row in _iter_blocks(table):
        if row.tag == f"{WORD}tr" and row.find(f"{WORD}trPr/{WORD}del") is None:
            yield row


def _iter_cells(row: Any) -> Iterator[Any]:
    return (cell for cell in _iter_blocks(row) if cell.tag == f"{WORD}tc")


def _get_merge(cell: Any) -> tuple[int, bool]:
    """Return the number of columns of a cell and whether it continues the cell above."""
    properties = cell.find(f"{WORD}tcPr")
    if properties is None:
        return 1, False
    span, merge = properties.find(f"{WORD}gridSpan"), properties.find(f"{WORD}vMerge")
    width = span.get(f"{WORD}val") or "" if span is not None else ""
    is_continued = merge is not None and merge.get(f"{WORD}val", "continue") == "continue"
    return int(width) if width.isdecimal() and len(width) < 5 else 1, is_continued
