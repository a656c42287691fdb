"""Text of PDF pages with tables or columns: rows `a | b | c`, columns one after the other.

pdfplumber finds tables between ruling lines. Tables without lines and columns of text are recognized by the free space
between their words.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

# Points: gap between columns at least; lines and tables are bounded, so that a page takes at most seconds.
GUTTER, MAX_CHARS, MAX_EDGES = 9.0, 20_000, 3_000
# Of a table: rows at least, characters of the median cell at most.
MIN_ROWS, MAX_CELL = 3, 32
# Of columns of text: lines at least, characters and share of the width of the median line at least.
MIN_PROSE, MIN_PROSE_LINE, MIN_FILL = 6, 20, 0.8
Span = tuple[float, float]


class TooComplexError(Exception):
    """The page has too many characters or lines."""


@dataclass(slots=True)
class Line:
    """Words on one line, from left to right."""

    top: float
    bottom: float
    words: list[dict[str, Any]]

    def get_text(self, span: Span | None = None) -> str:
        """Return the words, or those whose centre is in `span`."""
        return " ".join(word["text"] for word in (self.words if span is None else self.get_words(span)))

    def get_words(self, span: Span) -> list[dict[str, Any]]:
        """Return the words whose centre is in `span`."""
        return [word for word in self.words if span[0] <= (word["x0"] + word["x1"]) / 2 < span[1]]


def read_layout(page: Any) -> str:
    """Return the text of a pdfplumber page.

    Raises:
        TooComplexError: If the page has too many characters or lines.
    """
    if len(page.chars) > MAX_CHARS or len(page.edges) > MAX_EDGES:
        raise TooComplexError
    tables = [(table.bbox, rows) for table in page.find_tables() if (rows := _extract_rows(table))]
    words = [word for word in page.extract_words(x_tolerance_ratio=0.15) if not _is_inside(word, tables)]
    lines = list(_iter_lines(words))
    parts: list[str] = []
    for (_, top, *_), rows in sorted(tables, key=lambda table: table[0][1]):
        parts += _read_lines([line for line in lines if line.top < top])
        lines = [line for line in lines if line.top >= top]
        parts.append("\n".join(" | ".join(row).rstrip(" |") for row in rows))
    parts += _read_lines(lines)
    return "\n\n".join(part for part in parts if part.strip())


def _extract_rows(table: Any) -> list[list[str]]:
    """Return the filled rows of a table, or nothing if it is a frame around text."""
    rows = [[" ".join((cell or "").split()) for cell in row] for row in table.extract(x_tolerance_ratio=0.15)]
    rows = [row for row in rows if any(row)]
    filled = [sum(1 for cell in row if cell) for row in rows]
    return rows if len(rows) > 1 and sum(1 for count in filled if count > 1) >= len(rows) / 2 else []


def _is_inside(word: dict[str, Any], tables: list[tuple[Any, Any]]) -> bool:
    x, y = (word["x0"] + word["x1"]) / 2, (word["top"] + word["bottom"]) / 2
    return any(left <= x <= right and top <= y <= bottom for (left, top, right, bottom), _ in tables)


def _iter_lines(words: list[dict[str, Any]]) -> Iterator[Line]:
    """Yield the words in lines from top to bottom."""
    line: Line | None = None
    for word in sorted(words, key=lambda each: (each["top"], each["x0"])):
        middle = (word["top"] + word["bottom"]) / 2
        if line is not None and middle < line.bottom and middle > line.top:
            line.words.append(word)
            continue
        if line is not None:
            line.words.sort(key=lambda each: each["x0"])
            yield line
        line = Line(word["top"], word["bottom"], [word])
    if line is not None:
        line.words.sort(key=lambda each: each["x0"])
        yield line


def _read_lines(lines: list[Line]) -> Iterator[str]:
    for group, gaps in _iter_groups(lines):
        columns = list(_get_columns(group, gaps))
        if len(columns) > 1 and _is_prose(group, columns):
            for column in columns:
                yield _join_paragraphs([(line, line.get_text(column)) for line in group])
        elif len(columns) > 1 and _is_table(group, columns):
            yield "\n".join(" | ".join(row).rstrip(" |") for row in _build_rows(group, columns))
        else:
            yield _join_paragraphs([(line, line.get_text()) for line in group])


def _iter_groups(lines: list[Line]) -> Iterator[tuple[list[Line], list[Span]]]:
    """Yield successive lines that leave the same space free between columns, with this space."""
    group: list[Line] = []
    gaps: list[Span] = []
    for line in lines:
        own = _list_gaps(line)
        common = _intersect(gaps, _list_free(line)) if group else own
        near = not group or line.top - group[-1].bottom < 3 * (line.bottom - line.top)
        if group and (not near or bool(common) != bool(gaps) or (own and not gaps)):
            yield group, gaps
            group, common = [], own
        group.append(line)
        gaps = common
    if group:
        yield group, gaps


def _list_gaps(line: Line) -> list[Span]:
    """Return the gaps between words of a line that can separate columns."""
    pairs = zip(line.words, line.words[1:], strict=False)
    height = line.bottom - line.top
    return [
        (left["x1"], right["x0"])
        for left, right in pairs
        if right["x0"] - left["x1"] >= max(GUTTER, 0.9 * height)
    ]


def _list_free(line: Line) -> list[Span]:
    """Return all free space of a line, with that before and after its words."""
    edges = [-1e6, *(edge for word in line.words for edge in (word["x0"], word["x1"])), 1e6]
    return [
        (left, right) for left, right in zip(edges[::2], edges[1::2], strict=True) if right - left >= GUTTER
    ]


def _intersect(first: list[Span], second: list[Span]) -> list[Span]:
    return [
        (max(a[0], b[0]), min(a[1], b[1]))
        for a in first
        for b in second
        if min(a[1], b[1]) - max(a[0], b[0]) >= GUTTER
    ]


def _get_columns(group: list[Line], gaps: list[Span]) -> Iterator[Span]:
    left = -1e6
    for start, end in sorted(gaps):
        middle = (start + end) / 2
        yield left, middle
        left = middle
    yield left, 1e6


def _is_table(group: list[Line], columns: list[Span]) -> bool:
    """Return whether the columns hold cells: short, and several in most lines."""
    rows = [[line.get_text(column) for column in columns] for line in group]
    several = sum(1 for row in rows if sum(1 for cell in row if cell) > 1)
    lengths = [len(cell) for row in rows for cell in row if cell]
    return len(rows) >= MIN_ROWS and median(lengths) <= MAX_CELL and several >= len(rows) * 0.6


def _is_prose(group: list[Line], columns: list[Span]) -> bool:
    """Return whether the columns hold running text: many long lines that fill their column."""
    fills, lengths = [], []
    for column in columns:
        texts = [words for line in group if (words := line.get_words(column))]
        width = max((words[-1]["x1"] for words in texts), default=0) - min(
            (words[0]["x0"] for words in texts), default=0
        )
        fills += [(words[-1]["x1"] - words[0]["x0"]) / max(width, 1) for words in texts]
        lengths += [sum(len(word["text"]) + 1 for word in row) for row in texts]
    return len(group) >= MIN_PROSE and median(lengths) >= MIN_PROSE_LINE and median(fills) >= MIN_FILL


def _build_rows(group: list[Line], columns: list[Span]) -> list[list[str]]:
    """Return the rows of a table; a line without its first cell continues the row above."""
    rows: list[list[str]] = []
    for line in group:
        cells = [line.get_text(column) for column in columns]
        if rows and not cells[0] and sum(1 for cell in cells if cell) < len(cells) - 1:
            rows[-1] = [" ".join(filter(None, pair)) for pair in zip(rows[-1], cells, strict=True)]
        else:
            rows.append(cells)
    return rows


def _join_paragraphs(lines: list[tuple[Line, str]]) -> str:
    """Join lines, with an empty one where the distance is larger."""
    parts: list[str] = []
    last: Line | None = None
    for line, text in lines:
        if not text:
            continue
        if last is not None:
            parts.append("\n\n" if line.top - last.bottom > 0.8 * (line.bottom - line.top) else "\n")
        parts.append(text)
        last = line
    return "".join(parts)
