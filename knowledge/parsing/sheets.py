"""Readers for CSV and TSV: one line per row, with the columns as heading."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from config.spreadsheet_cells import restore_cell
from knowledge.parsing.document import ParseError, ReaderResult, TextBlock, decode

MAX_ROWS = 200_000
MAX_CELL = 10_000
MAX_HEADING = 200


def read_csv(data: bytes, name: str) -> ReaderResult:
    """Parse delimited rows; the delimiter is detected from the first lines."""
    text = decode(data, name)
    try:
        dialect: Any = csv.Sniffer().sniff(text[:8192], delimiters=",;\t|")
    except csv.Error:
        dialect = "excel"
    return ReaderResult(_table(_csv_rows(text, dialect, name), "", name))


def read_tsv(data: bytes, name: str) -> ReaderResult:
    return ReaderResult(_table(_csv_rows(decode(data, name), "excel-tab", name), "", name))


def _csv_rows(text: str, dialect: Any, name: str) -> Iterator[list[str]]:
    csv.field_size_limit(1_000_000)
    try:
        for row in csv.reader(io.StringIO(text), dialect):
            yield [restore_cell(cell) for cell in row]
    except csv.Error as error:
        raise ParseError(f"{name}: not a readable table ({error})") from error


class TableBuilder:
    """Lines `a | b | c` of a table, whose first row is the heading of its block."""

    def __init__(self, path: tuple[str, ...], name: str) -> None:
        self._path, self._name = path, name
        self._lines: list[str] = []
        self._left = 0

    def add_row(self, cells: dict[int, str]) -> None:
        """Add the filled cells of a row by column; columns before the first one of the table are left out.

        Raises:
            ParseError: If the table has too many rows.
        """
        filled = [column for column, text in cells.items() if text.strip()]
        if not filled:
            return
        if not self._lines:
            self._left = min(filled)
        # A larger table belongs in a database, not in a document.
        if len(self._lines) >= MAX_ROWS:
            raise ParseError(f"{self._name}: more than {MAX_ROWS:,} rows")
        columns = range(min(self._left, *filled), max(filled) + 1)
        self._lines.append(_line([cells.get(column, "") for column in columns]))

    def build(self) -> list[TextBlock]:
        """Return the block, or an empty list if the table has no text."""
        if not self._lines:
            return []
        path = tuple(part for part in (*self._path, self._lines[0][:MAX_HEADING]) if part)
        return [TextBlock("\n".join(self._lines), path)]


def _table(rows: Iterable[list[str]], title: str, name: str) -> list[TextBlock]:
    """Return the rows as one block under a heading with the column names."""
    table = TableBuilder((title,), name)
    for row in rows:
        table.add_row(dict(enumerate(row)))
    return table.build()


def _line(row: list[str]) -> str:
    return " | ".join(" ".join(cell[:MAX_CELL].split()) for cell in row).rstrip(" |")
