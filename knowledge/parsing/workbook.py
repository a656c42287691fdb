"""Reader for XLSX: cells as shown, named tables, merged cells, comments, charts."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from config.spreadsheet_cells import restore_cell
from knowledge.parsing.document import ReaderResult, TextBlock
from knowledge.parsing.drawings import CHART, DRAWING, read_chart_title
from knowledge.parsing.number_formats import BUILT_IN, format_number, format_plain
from knowledge.parsing.office_package import OfficePackage, Relationship, check_package, report_damage
from knowledge.parsing.options import current_options
from knowledge.parsing.sheets import TableBuilder

MAIN_PART = "xl/workbook.xml"
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
RELATIONSHIP = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
MAX_COLUMNS, MAX_MERGES, MAX_TABLES = 16_384, 100_000, 500
_MERGE = re.compile(rb'<(?:\w{1,10}:)?mergeCell\s[^>]{0,99}?ref="([A-Z0-9:]{2,30})"')
_CELL = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
Area = tuple[int, int, int, int]


def read_xlsx(data: bytes, name: str) -> ReaderResult:
    """Read every visible sheet, with the cached values of formulas."""
    check_package(data, name, "XLSX", MAIN_PART)
    with report_damage(name, "XLSX"):
        package = OfficePackage(data, MAIN_PART)
        book = _Workbook(package, name)
        pieces = [piece for title, part in book.list_sheets() for piece in book.read_sheet(title, part)]
        title, metadata = package.read_properties()
    return ReaderResult(pieces, title, {"sheets": book.titles, **metadata}, book.warnings)


@lru_cache(maxsize=MAX_COLUMNS)
def parse_column(name: str) -> int:
    """Return the number of a column such as "AB", from 1; 0 if it is invalid."""
    if not re.fullmatch("[A-Z]{1,3}", name):
        return 0
    column = 0
    for letter in name:
        column = column * 26 + ord(letter) - 64
    return min(column, MAX_COLUMNS)


def parse_cell(reference: str) -> tuple[int, int]:
    """Return column and row of a reference such as "B12", both from 1; (0, 0) if it is invalid."""
    found = _CELL.fullmatch(reference.replace("$", ""))
    return (parse_column(found[1]), int(found[2])) if found else (0, 0)


def parse_area(reference: str) -> Area:
    """Return first column, first row, last column and last row of a reference such as "A1:C9"."""
    first, _, last = reference.partition(":")
    return *parse_cell(first), *parse_cell(last or first)


class _Workbook:
    """Reading state of one workbook."""

    def __init__(self, package: OfficePackage, name: str) -> None:
        self.warnings: Counter[str] = Counter()
        self.titles: list[str] = []
        self._package, self._name = package, name
        self._root = package.parse(package.main_part)
        if self._root is None:
            raise KeyError(package.main_part)
        self._relationships = package.list_relationships(package.main_part)
        properties = self._root.find(f"{SHEET}workbookPr")
        self._is_1904 = properties is not None and properties.get("date1904") in ("1", "true")
        self._texts = list(self._read_shared_texts())
        self._formats = list(self._read_formats())

    def list_sheets(self) -> list[tuple[str, str]]:
        """Return title and part of the visible sheets; count the hidden ones."""
        found = []
        for sheet in self._root.iterfind(f"{SHEET}sheets/{SHEET}sheet"):
            relationship = self._relationships.get(sheet.get(f"{RELATIONSHIP}id") or "")
            if sheet.get("state", "visible") != "visible":
                self.warnings["hidden_sheets"] += 1
            elif relationship is not None and relationship.kind in ("worksheet", "chartsheet"):
                found.append((sheet.get("name") or "", relationship.target))
        self.titles = [title for title, _ in found]
        return found

    def _find_part(self, kind: str) -> str:
        return next((each.target for each in self._relationships.values() if each.kind == kind), "")

    def _read_shared_texts(self) -> Iterator[str]:
        for _, element in self._package.iterate(self._find_part("sharedStrings"), f"{SHEET}si"):
            yield _join_runs(element)
            element.clear()

    def _read_formats(self) -> Iterator[str]:
        """Yield the number format of each cell style."""
        root = self._package.parse(self._find_part("styles"))
        if root is None:
            return
        codes = {
            each.get("numFmtId"): each.get("formatCode") or ""
            for each in root.iterfind(f"{SHEET}numFmts/{SHEET}numFmt")
        }
        for style in root.iterfind(f"{SHEET}cellXfs/{SHEET}xf"):
            number = style.get("numFmtId") or "0"
            yield codes.get(number) or BUILT_IN.get(int(number) if number.isdecimal() else 0, "")

    def read_sheet(self, title: str, part: str) -> Iterator[TextBlock]:
        """Yield a block for the cells outside tables, one for each table, one for comments and shapes."""
        related = list(self._package.list_relationships(part).values())
        rest = TableBuilder((title,), self._name)
        tables = [
            (area, TableBuilder((title, name), self._name)) for area, name in self._list_tables(related)
        ]
        for row, cells in self._iter_rows(part):
            for (left, top, right, bottom), table in tables:
                if top <= row <= bottom:
                    table.add_row(
                        {column: cells.pop(column) for column in [*cells] if left <= column <= right}
                    )
            rest.add_row(cells)
        for builder in (rest, *(table for _, table in tables)):
            yield from builder.build()
        comments = self._read_comments(related) if current_options.get().has_comments else ()
        extras = [*comments, *self._read_drawings(related)]
        if extras:
            yield TextBlock("\n".join(extras), (title, "Comments and drawings"))

    def _list_tables(self, related: list[Relationship]) -> Iterator[tuple[Area, str]]:
        for relationship in [each for each in related if each.kind == "table"][:MAX_TABLES]:
            root = self._package.parse(relationship.target)
            if root is not None:
                yield parse_area(root.get("ref") or ""), root.get("displayName") or root.get("name") or ""

    def _iter_rows(self, part: str) -> Iterator[tuple[int, dict[int, str]]]:
        """Yield the filled cells of each row by column; a cell merged over rows repeats."""
        merges = self._find_merges(part)
        above: dict[int, tuple[int, str]] = {}
        row = 0
        for _, element in self._package.iterate(part, f"{SHEET}row"):
            number = element.get("r") or ""
            row = int(number) if number.isdecimal() and len(number) < 8 else row + 1
            cells = dict(self._read_cells(element))
            element.clear()
            while (previous := element.getprevious()) is not None:
                element.getparent().remove(previous)
            if merges:
                above = {column: held for column, held in above.items() if held[0] >= row}
                cells = {column: text for column, (_, text) in above.items()} | cells
                starts = (column for column in cells if (column, row) in merges)
                above |= {column: (merges[column, row], cells[column]) for column in starts}
            if cells:
                yield row, cells

    def _find_merges(self, part: str) -> dict[tuple[int, int], int]:
        """Return the last row of the areas merged over rows, by their first column and row.

        The merged areas follow the cells, so that they are searched for first.
        """
        found: dict[tuple[int, int], int] = {}
        for reference in self._package.search(part, _MERGE):
            left, top, _, bottom = parse_area(reference.decode())
            if bottom > top and len(found) < MAX_MERGES:
                found[left, top] = bottom
        return found

    def _read_cells(self, row: Any) -> Iterator[tuple[int, str]]:
        column = 0
        for cell in row.iterchildren(f"{SHEET}c"):
            column = parse_column((cell.get("r") or "").rstrip("0123456789")) or column + 1
            if text := self._read_cell(cell):
                yield column, restore_cell(text)

    def _read_cell(self, cell: Any) -> str:
        parts = {child.tag: child for child in cell}
        kind = cell.get("t", "n")
        if kind == "inlineStr":
            return _join_runs(parts[f"{SHEET}is"]) if f"{SHEET}is" in parts else ""
        value = parts[f"{SHEET}v"].text if f"{SHEET}v" in parts else None
        if not value:
            self.warnings["formulas_without_value"] += f"{SHEET}f" in parts and kind != "str"
            return ""
        if kind == "n":
            return self._format_number(value, cell.get("s") or "")
        if kind == "s":
            return self._texts[int(value)]
        if kind == "b":
            return "TRUE" if value == "1" else "FALSE"
        return value.removesuffix("T00:00:00").replace("T", " ") if kind == "d" else value

    def _format_number(self, value: str, style: str) -> str:
        try:
            number = float(value)
        except ValueError:
            return value
        if abs(number) > 1e300 or number != number:
            return value
        code = self._formats[int(style)] if style.isdecimal() and int(style) < len(self._formats) else ""
        return format_number(number, code, is_1904=self._is_1904) if code else format_plain(number)

    def _read_comments(self, related: list[Relationship]) -> Iterator[str]:
        """Yield the comments of a sheet; a threaded comment replaces its copy for old programs."""
        found: dict[str, list[str]] = {}
        for kind in ("threadedComment", "comments"):
            for root in (self._package.parse(each.target) for each in related if each.kind == kind):
                threaded = set(found)
                for comment in root.iter("{*}threadedComment", f"{SHEET}comment") if root is not None else ():
                    text, cell = comment.find("{*}text"), comment.get("ref") or ""
                    words = "".join(text.itertext()).split() if text is not None else []
                    if words and cell not in threaded:
                        found.setdefault(cell, []).append(f"Comment on {cell}: {' '.join(words)}")
        return (line for lines in found.values() for line in lines)

    def _read_drawings(self, related: list[Relationship]) -> Iterator[str]:
        """Yield titles of charts and texts of shapes; the values of charts are those of the cells."""
        for drawing in (each.target for each in related if each.kind == "drawing"):
            root = self._package.parse(drawing)
            charts = self._package.list_relationships(drawing)
            for element in root.iter(f"{CHART}chart", f"{DRAWING}p", "{*}pic") if root is not None else ():
                text = ""
                if element.tag == f"{CHART}chart":
                    chart = charts.get(element.get(f"{RELATIONSHIP}id") or "")
                    parsed = self._package.parse(chart.target) if chart else None
                    text = read_chart_title(parsed) if parsed is not None else ""
                elif element.tag == f"{DRAWING}p":
                    text = " ".join("".join(t.text or "" for t in element.iter(f"{DRAWING}t")).split())
                else:
                    self.warnings["images_without_text"] += 1
                if text:
                    yield text


def _join_runs(element: Any) -> str:
    """Return the text of a string item without its phonetic guide."""
    texts = (
        text.text or ""
        for text in element.iter(f"{SHEET}t")
        if text.getparent() is element or text.getparent().tag != f"{SHEET}rPh"
    )
    return "".join(texts).replace("_x000D_", "")
