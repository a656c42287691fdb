"""Tables of HTML pages as lines `a | b | c`, with merged cells and repeated headings."""

from dataclasses import dataclass, field

MAX_DEPTH, MAX_SPAN, MAX_REPEATED_TEXT = 20, 1_000, 200
# Characters after which the heading is repeated, so that each passage has it.
HEADING_DISTANCE = 1_200


@dataclass(slots=True)
class HtmlCell:
    """A cell; `has_blocks` tells that it holds paragraphs or a table."""

    text: str
    columns: int = 1
    rows: int = 1
    is_heading: bool = False
    has_blocks: bool = False


@dataclass(slots=True)
class HtmlTable:
    """A table that is being read; `outer` is the text before it."""

    outer: list[str]
    rows: list[list[HtmlCell]] = field(default_factory=list)
    cell: HtmlCell | None = None

    def format(self) -> str:
        """Return the table as lines, or its cells as paragraphs if it only arranges them."""
        rows = [row for row in self.rows if any(cell.text for cell in row)]
        if all(len(row) == 1 for row in rows) or any(cell.has_blocks for row in rows for cell in row):
            return "\n\n".join(cell.text for row in rows for cell in row if cell.text)
        lines = [" | ".join(cells).rstrip(" |") for cells in fill_grid(rows)]
        heading = _count_heading_rows(rows)
        return "\n".join(_repeat_heading(lines, heading) if 0 < heading < len(lines) else lines)


def parse_span(value: str | None) -> int:
    """Return the number of rows or columns of a cell."""
    return min(max(int(value), 1), MAX_SPAN) if value and value.isdecimal() and len(value) < 6 else 1


def fill_grid(rows: list[list[HtmlCell]]) -> list[list[str]]:
    """Return the texts by row; text merged over rows, and headings merged over columns, repeat."""
    lines: list[list[str]] = []
    below: dict[int, tuple[int, str]] = {}
    for row in rows:
        texts: list[str] = []
        cells = iter(row)
        while True:
            rest, text = below.get(len(texts), (0, ""))
            if rest:
                below[len(texts)] = rest - 1, text
                texts.append(text)
                continue
            cell = next(cells, None)
            if cell is None:
                break
            _place_cell(cell, texts, below)
        lines.append(texts)
    return lines


def _place_cell(cell: HtmlCell, texts: list[str], below: dict[int, tuple[int, str]]) -> None:
    text = " ".join(cell.text.split())
    repeated = text if len(text) <= MAX_REPEATED_TEXT else ""
    for number in range(cell.columns):
        shown = text if number == 0 else repeated if cell.is_heading else ""
        below[len(texts)] = cell.rows - 1, repeated if number == 0 or cell.is_heading else ""
        texts.append(shown)


def _count_heading_rows(rows: list[list[HtmlCell]]) -> int:
    """Return the number of first rows that hold only headings."""
    number = next((n for n, row in enumerate(rows) if not all(cell.is_heading for cell in row)), 0)
    return min(number, 3)


def _repeat_heading(lines: list[str], number: int) -> list[str]:
    heading = lines[:number]
    size = sum(map(len, heading))
    repeated, length = [*heading], size
    for line in lines[number:]:
        if length > HEADING_DISTANCE and size < HEADING_DISTANCE / 4:
            repeated += heading
            length = size
        repeated.append(line)
        length += len(line)
    return repeated
