"""Text of PDF pages with tables or columns: rows `a | b | c`, columns one after the other.

pdfplumber finds tables between ruling lines. Tables without lines and columns of text are recognized by the free space
between their words.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter
from statistics import median
from typing import Any

from knowledge.parsing.pdf_text import RIGHT_TO_LEFT

# Points: gap between columns at least, in some line and in all of them; tolerance of distances.
GUTTER, MIN_FREE, TOLERANCE = 9.0, 4.5, 1.0
# Characters and lines of a page are bounded, so that it takes at most seconds.
MAX_CHARS, MAX_EDGES = 20_000, 3_000
# Of a table: rows at least, or one row less if all have this number of columns; characters of the median cell at most.
MIN_ROWS, MIN_COLUMNS, MAX_CELL = 3, 3, 32
# Of columns of text: lines at least, characters and share of the width of the median line at least.
MIN_PROSE, MIN_PROSE_LINE, MIN_FILL = 6, 20, 0.8
_MARK = re.compile(r"[^\w\s]|[0-9]{1,3}[.)]|[a-zA-Z][.)]|[0-9]{1,2}\.[0-9]{1,2}(\.[0-9]{1,2})?\.?")
Span = tuple[float, float]


class TooComplexError(Exception):
    """The page has too many characters or lines."""


@dataclass(slots=True)
class Line:
    """Words on one line, from left to right."""

    top: float
    bottom: float
    words: list[dict[str, Any]]

    @property
    def is_right_to_left(self) -> bool:
        """Whether most of the words are in a right-to-left script."""
        return _is_right_to_left(self.words)

    def get_text(self, span: Span | None = None) -> str:
        """Return the words in reading order, or those whose centre is in `span`."""
        words = self.words if span is None else self.get_words(span)
        return " ".join(word["text"] for word in (_reverse(words) if _is_right_to_left(words) else words))

    def get_words(self, span: Span) -> list[dict[str, Any]]:
        """Return the words whose centre is in `span`."""
        return [word for word in self.words if span[0] <= (word["x0"] + word["x1"]) / 2 < span[1]]


def read_layout(page: Any, words: list[dict[str, Any]] | None = None) -> str:
    """Return the text of a pdfplumber page with its tables and columns.

    Args:
        words: Words of the page with their boxes; without them, pdfplumber finds the words.

    Raises:
        TooComplexError: If the page has too many characters or lines.
    """
    if len(page.chars) > MAX_CHARS or len(page.edges) > MAX_EDGES:
        raise TooComplexError
    page_words = page.extract_words(x_tolerance_ratio=0.15) if words is None else words
    tables = [
        (table.bbox, rows) for table in page.find_tables() if (rows := _extract_rows(table, page_words))
    ]
    lines = list(_iter_lines([each for each in page_words if not _is_inside(each, tables)]))
    parts: list[str] = []
    for (_, top, *_), rows in sorted(tables, key=lambda table: table[0][1]):
        parts += _read_groups(_build_groups([line for line in lines if line.top < top]))
        lines = [line for line in lines if line.top >= top]
        parts.append(_format_rows(rows))
    parts += _read_groups(_build_groups(lines))
    return "\n\n".join(part for part in parts if part.strip())


def read_columns(words: list[dict[str, Any]]) -> str:
    """Return the text of a page without ruling lines, or "" if it has neither tables nor columns."""
    if len(words) > MAX_CHARS:
        raise TooComplexError
    groups = list(_build_groups(list(_iter_lines(words))))
    if not any(group.is_prose or group.is_table for group in groups):
        return ""
    return "\n\n".join(part for part in _read_groups(groups) if part.strip())


def _format_rows(rows: list[list[str]]) -> str:
    return "\n".join(" | ".join(row).rstrip(" |") for row in rows)


def _extract_rows(table: Any, page_words: list[dict[str, Any]]) -> list[list[str]]:
    """Return the filled rows of a table, or nothing if it is a frame around text."""
    left, top, right, bottom = table.bbox
    inside = [each for each in page_words if _is_between(each, left, top, right, bottom)]
    is_reversed = _is_right_to_left(inside)
    rows = []
    for row in table.rows:
        cells = [_read_cell(cell, inside) for cell in row.cells]
        rows.append(cells[::-1] if is_reversed else cells)
    rows = [row for row in rows if any(row)]
    filled = [sum(1 for cell in row if cell) for row in rows]
    return rows if len(rows) > 1 and sum(1 for count in filled if count > 1) >= len(rows) / 2 else []


def _read_cell(cell: Any, page_words: list[dict[str, Any]]) -> str:
    """Return the words in the box of a cell; None is a part of a merged cell."""
    if cell is None:
        return ""
    return " ".join(
        line.get_text() for line in _iter_lines([each for each in page_words if _is_between(each, *cell)])
    )


def _is_between(word: dict[str, Any], left: float, top: float, right: float, bottom: float) -> bool:
    """Return whether the centre of a word is in a box."""
    x, y = (word["x0"] + word["x1"]) / 2, (word["top"] + word["bottom"]) / 2
    return left <= x <= right and top <= y <= bottom


def _is_inside(word: dict[str, Any], tables: list[tuple[Any, Any]]) -> bool:
    return any(_is_between(word, *box) for box, _ in tables)


def _is_right_to_left(words: list[dict[str, Any]]) -> bool:
    texts = map(itemgetter("text"), words)
    reversed_letters = [bool(RIGHT_TO_LEFT.search(text)) for text in texts if text[:1].isalpha()]
    return sum(reversed_letters) > len(reversed_letters) / 2


def _reverse(words: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return words from right to left; successive words of other scripts keep their order."""
    runs = groupby(reversed(words), key=lambda word: bool(RIGHT_TO_LEFT.search(word["text"])))
    return [word for is_reversed, run in runs for word in (run if is_reversed else reversed(list(run)))]


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


@dataclass(frozen=True, slots=True)
class Group:
    """Successive lines, their columns in reading order, and whether these hold running text or cells."""

    lines: list[Line]
    columns: list[Span]
    is_prose: bool
    is_table: bool


def _build_groups(lines: list[Line]) -> Iterator[Group]:
    for group in _move_first_rows(list(_iter_groups(lines))):
        columns = _list_columns(group)
        is_divided = len(columns) > 1
        is_prose = is_divided and _is_prose(group, columns)
        yield Group(group, columns, is_prose, is_divided and _is_table(group, columns))


def _read_groups(groups: Iterable[Group], *, is_column: bool = False) -> Iterator[str]:
    """Yield tables, columns and other lines from top to bottom; a column of text can hold tables."""
    for group in groups:
        if group.is_prose and not is_column:
            for column in group.columns:
                words = [word for line in group.lines for word in line.get_words(column)]
                yield from _read_groups(_build_groups(list(_iter_lines(words))), is_column=True)
        elif group.is_table:
            yield _format_rows(_build_rows(group.lines, group.columns))
        else:
            yield _join_paragraphs([(line, line.get_text()) for line in group.lines])


def _iter_groups(lines: list[Line]) -> Iterator[list[Line]]:
    """Yield successive lines that leave the same space free between columns, or have no columns."""
    group: list[Line] = []
    gaps: list[Span] = []
    for line in lines:
        own = _list_gaps(line)
        near = not group or line.top - group[-1].bottom < 3 * (line.bottom - line.top)
        common = _intersect(gaps, _list_free(line)) if group and gaps else own
        fits = bool(common) == bool(gaps) and (not gaps or bool(own) or _fits_column(line, group, common))
        if group and not (near and fits):
            yield group
            group, common = [], own
        group.append(line)
        gaps = common
    if group:
        yield group


def _fits_column(line: Line, group: list[Line], gaps: list[Span]) -> bool:
    """Return whether a line without gaps continues a column of the group.

    In the first column, it is not wider than the cells above, except below long lines of text.
    """
    if not _list_gaps(group[0]) or _count_cells(line, gaps) > 1:
        return True
    first_gap = min(gaps) if not line.is_right_to_left else max(gaps)
    starts = [each for each in group if _list_gaps(each)]
    column = (-1e6, sum(first_gap) / 2) if not line.is_right_to_left else (sum(first_gap) / 2, 1e6)
    cells = [words for each in starts if (words := each.get_words(column))]
    if not line.get_words(column) or not cells:
        return True
    widths = [words[-1]["x1"] - words[0]["x0"] for words in cells]
    lengths = [len(each.get_text(column)) for each in starts]
    width = line.words[-1]["x1"] - line.words[0]["x0"]
    return median(lengths) >= MIN_PROSE_LINE or width <= max(widths) + GUTTER


def _count_cells(line: Line, gaps: list[Span]) -> int:
    return sum(1 for column in _get_columns(gaps) if line.get_words(column))


def _move_first_rows(groups: list[list[Line]]) -> list[list[Line]]:
    """Move a line that fills its columns, so that it shows no gaps, to the table below."""
    for before, group in pairwise(groups):
        gaps = _list_common_gaps(group)
        while gaps and before and not _list_gaps(before[-1]) and _fits_above(before[-1], group, gaps):
            group.insert(0, before.pop())
    return [group for group in groups if group]


def _fits_above(line: Line, group: list[Line], gaps: list[Span]) -> bool:
    common = _intersect(gaps, _list_free(line))
    near = group[0].top - line.bottom < 3 * (line.bottom - line.top)
    return near and len(common) == len(gaps) and _count_cells(line, common) > 1


def _list_columns(group: list[Line]) -> list[Span]:
    """Return the columns of a group in reading order."""
    columns = list(_get_columns(_list_common_gaps(group)))
    return columns[::-1] if _is_right_to_left([word for line in group for word in line.words]) else columns


def _list_common_gaps(group: list[Line]) -> list[Span]:
    """Return the spaces that all lines with several cells leave free."""
    edges = sorted((word["x0"], word["x1"]) for line in group if _list_gaps(line) for word in line.words)
    gaps: list[Span] = []
    right = edges[0][1] if edges else 0.0
    for start, end in edges:
        if start - right >= MIN_FREE:
            gaps.append((right, start))
        right = max(right, end)
    return gaps


def _list_gaps(line: Line) -> list[Span]:
    """Return the gaps between words of a line that can separate columns; that after a list mark does not."""
    words = line.words[1:] if _MARK.fullmatch(line.words[0]["text"]) else line.words
    height = line.bottom - line.top
    return [
        (left["x1"], right["x0"])
        for left, right in pairwise(words)
        if right["x0"] - left["x1"] >= max(GUTTER, 0.9 * height)
    ]


def _list_free(line: Line) -> list[Span]:
    """Return all free space of a line, with that before and after its words."""
    edges = [-1e6, *(edge for word in line.words for edge in (word["x0"], word["x1"])), 1e6]
    return [
        (left, right) for left, right in zip(edges[::2], edges[1::2], strict=True) if right - left >= MIN_FREE
    ]


def _intersect(first: list[Span], second: list[Span]) -> list[Span]:
    return [
        (max(a[0], b[0]), min(a[1], b[1]))
        for a in first
        for b in second
        if min(a[1], b[1]) - max(a[0], b[0]) >= MIN_FREE
    ]


def _get_columns(gaps: list[Span]) -> Iterator[Span]:
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
    is_wide = all(len(_list_gaps(line)) >= MIN_COLUMNS - 1 for line in group)
    return len(rows) >= MIN_ROWS - is_wide and median(lengths) <= MAX_CELL and several >= len(rows) * 0.6


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
    """Return the rows of a table; an incomplete line continues the nearer row."""
    cells = [[line.get_text(column) for column in columns] for line in group]
    filled = [sum(1 for cell in row if cell) for row in cells]
    distances = [after.top - before.bottom for before, after in pairwise(group)]
    usual = median(
        [gap for gap, *counts in zip(distances, filled, filled[1:], strict=False) if min(counts) > 1] or [0.0]
    )
    rows: list[list[str]] = []
    waiting: list[list[str]] = []
    for number, row in enumerate(cells):
        above = distances[number - 1] if number else 1e6
        below = distances[number] if number < len(distances) else 1e6
        is_part = filled[number] < max(2, len(columns) - 1) and filled[number] < max(filled)
        if is_part and below < min(above, usual - TOLERANCE):
            waiting.append(row)
        elif rows and is_part and not waiting and (not row[0] or above < usual - TOLERANCE):
            rows[-1] = _join_cells([rows[-1], row])
        else:
            rows.append(_join_cells([*waiting, row]))
            waiting = []
    return [*rows, *waiting]


def _join_cells(rows: list[list[str]]) -> list[str]:
    return [" ".join(filter(None, cells)) for cells in zip(*rows, strict=True)]


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
