"""Readers for CSV, TSV and XLSX: one line per row, with the columns as heading."""

import csv
import io
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import chain, islice
from typing import Any

from config.spreadsheet_cells import restore_cell
from knowledge.parsing.document import ParseError, ReaderResult, TextBlock, decode
from knowledge.parsing.office_package import check_package

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


def read_xlsx(data: bytes, name: str) -> ReaderResult:
    """Read every visible sheet, with the cached values of formulas."""
    check_package(data, name, "XLSX", "xl/workbook.xml")
    from openpyxl import load_workbook

    try:
        book = load_workbook(BytesIO(data), read_only=True, data_only=True)
        sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        pieces = [piece for sheet in sheets for piece in _table(_cells(sheet), sheet.title, name)]
        return ReaderResult(
            pieces, book.properties.title or "", {"sheets": [sheet.title for sheet in sheets]}
        )
    except (ParseError, MemoryError):
        raise
    except Exception as error:  # openpyxl lets many kinds through on damaged files
        raise ParseError(f"{name}: damaged XLSX ({type(error).__name__})") from error


def _cells(sheet: Any) -> Iterator[list[str]]:
    for row in sheet.iter_rows(values_only=True):
        yield ["" if value is None else restore_cell(str(value)) for value in row]


def _table(rows: Iterable[list[str]], title: str, name: str) -> list[TextBlock]:
    """Return the rows as one block under a heading with the column names."""
    filled = (row for row in rows if any(cell.strip() for cell in row))
    header = next(iter(filled), None)
    if header is None:
        return []
    # A larger table belongs in a database, not in a document.
    lines = [_line(row) for row in islice(chain([header], filled), MAX_ROWS + 1)]
    if len(lines) > MAX_ROWS:
        raise ParseError(f"{name}: more than {MAX_ROWS:,} rows")
    path = tuple(part for part in (title, _line(header)[:MAX_HEADING]) if part)
    return [TextBlock("\n".join(lines), path)]


def _line(row: list[str]) -> str:
    return " | ".join(" ".join(cell[:MAX_CELL].split()) for cell in row).rstrip(" |")
