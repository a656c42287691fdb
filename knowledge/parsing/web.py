"""Reader for HTML: keeps blocks, headings and tables, drops navigation and scripts."""

import re
from collections import Counter
from html.parser import HTMLParser

from knowledge.parsing.document import ReaderResult, TextBlock, decode
from knowledge.parsing.html_tables import MAX_DEPTH, HtmlCell, HtmlTable, parse_span

_DROPPED = frozenset(
    "script style nav noscript template svg iframe form button select".split()  # noqa: SIM905
)
_BLOCKS = frozenset(
    (  # noqa: SIM905
        "address article aside blockquote body caption dd details div dl dt fieldset figcaption figure "
        "footer header hr li main ol p pre section summary table tbody tfoot thead tr ul"
    ).split()
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
# Pixels: smaller images are icons.
MIN_IMAGE = 32
_ITEM_MARK = re.compile(r"\n(-|[0-9]{1,9}\.) ")
_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?([\w-]+)", re.IGNORECASE)


def read_html(data: bytes, name: str) -> ReaderResult:
    """Parse a page; if dropping navigation leaves no text, drop only scripts."""
    text = _decode(data, name)
    for dropped in (_DROPPED, frozenset({"script", "style"})):
        page = _PageParser(dropped)
        page.feed(text)
        page.close()
        page.finish_piece()
        if page.pieces:
            break
    title = page.title or next((piece.path[0] for piece in page.pieces if piece.path), "")
    return ReaderResult(page.pieces, title, warnings=Counter(images_without_text=page.images))


def _decode(data: bytes, name: str) -> str:
    if declared := _CHARSET.search(data[:4096]):
        try:
            return decode(data.decode(declared[1].decode()).encode(), name)
        except (LookupError, UnicodeError):
            pass
    return decode(data, name)


class _PageParser(HTMLParser):
    """Collects pieces of text cut at headings."""

    def __init__(self, dropped: frozenset[str]) -> None:
        super().__init__(convert_charrefs=True)
        self.dropped = dropped
        self.title = ""
        self.pieces: list[TextBlock] = []
        # Number of open dropped elements, and how many were open before the first one of each tag.
        self._dropped_depth = 0
        self._dropped_starts: dict[str, int] = {}
        self._stack: list[tuple[int, str]] = []
        self._parts: list[str] = []
        self._in_title = False
        self._heading: list[str] | None = None
        self._pre = 0
        self.images = 0
        # Number of the last item of each open list; None if it has no numbers.
        self._lists: list[int | None] = []
        self._tables: list[HtmlTable] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.dropped:
            self._dropped_starts.setdefault(tag, self._dropped_depth)
            self._dropped_depth += 1
        elif tag == "title":
            self._in_title = not self.title
        elif tag == "img":
            self._add_image(dict(attrs))
        elif tag in _HEADINGS:
            self.finish_piece()
            self._heading = []
        elif tag == "br":
            self._parts.append("\n")
        elif self._start_table_part(tag, dict(attrs)):
            return
        elif tag in _BLOCKS:
            self._pre += tag == "pre"
            self._start_block(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._dropped_starts:
            self._dropped_depth = self._dropped_starts[tag]
            starts = self._dropped_starts.items()
            self._dropped_starts = {name: depth for name, depth in starts if depth < self._dropped_depth}
        elif tag == "title":
            self._in_title = False
        elif tag in _HEADINGS and self._heading is not None:
            self._finish_heading(_HEADINGS[tag])
        elif tag == "table" and self._tables:
            self._finish_table()
        elif tag in ("td", "th", "tr") and self._tables:
            self._finish_cell()
        elif tag in _BLOCKS:
            self._pre = max(0, self._pre - (tag == "pre"))
            if tag in ("ol", "ul") and self._lists:
                self._lists.pop()
            self._parts.append("" if tag in ("li", "tr", "dd", "dt") else "\n\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif self._heading is not None:
            self._heading.append(data)
        elif not self._dropped_depth:
            self._parts.append(data if self._pre else re.sub(r"\s+", " ", data))

    def _start_block(self, tag: str) -> None:
        """Begin a block; an item starts with its number or a dash, which stays on the line of its first paragraph."""
        if tag in ("ol", "ul") and len(self._lists) < MAX_DEPTH:
            self._lists.append(0 if tag == "ol" else None)
        if tag == "li":
            number = self._lists[-1] if self._lists else None
            if number is not None:
                self._lists[-1] = number + 1
            self._parts.append("\n- " if number is None else f"\n{number + 1}. ")
        elif not (tag == "p" and self._parts and _ITEM_MARK.fullmatch(self._parts[-1])):
            self._parts.append("\n" if tag in ("tr", "dd", "dt") else "\n\n")

    def _add_image(self, attributes: dict[str, str | None]) -> None:
        """Add the description of an image, and count the image unless it is an icon or decoration."""
        description = " ".join((attributes.get("alt") or "").split())
        if self._dropped_depth:
            return
        self._parts.append(f" [Image: {description}] " if description else "")
        sizes = [attributes.get(name) or "" for name in ("width", "height")]
        is_icon = any(size.isdecimal() and len(size) < 6 and int(size) < MIN_IMAGE for size in sizes)
        is_decoration = attributes.get("alt") == "" or attributes.get("role") == "presentation"
        self.images += not is_icon and not is_decoration

    def _start_table_part(self, tag: str, attributes: dict[str, str | None]) -> bool:
        """Begin a table or a part of one; return whether `tag` is such a part."""
        if tag in ("td", "th"):
            self._start_cell(tag, attributes)
        elif tag == "table" and len(self._tables) < MAX_DEPTH:
            self._tables.append(HtmlTable(self._parts))
            self._parts = []
        elif tag in ("tr", "tbody", "thead", "tfoot", "caption") and self._tables:
            self._finish_cell()
            if tag == "tr":
                self._tables[-1].rows.append([])
        else:
            return False
        return True

    def _start_cell(self, tag: str, attributes: dict[str, str | None]) -> None:
        if not self._tables:
            self._parts.append(" | " if self._parts and not self._parts[-1].endswith("\n") else "")
            return
        self._finish_cell()
        table = self._tables[-1]
        spans = parse_span(attributes.get("colspan")), parse_span(attributes.get("rowspan"))
        table.cell = HtmlCell("", *spans, is_heading=tag == "th")
        if not table.rows:
            table.rows.append([])
        self._parts = []

    def _finish_cell(self) -> None:
        """End the cell of the innermost table; text outside cells becomes a row."""
        table, text = self._tables[-1], _clean_text("".join(self._parts))
        cell, table.cell, self._parts = table.cell, None, []
        if cell is not None:
            cell.text, cell.has_blocks = text, cell.has_blocks or "\n\n" in text
            table.rows[-1].append(cell)
        elif text:
            table.rows.append([HtmlCell(text, is_heading=not table.rows)])

    def _finish_table(self) -> None:
        self._finish_cell()
        table = self._tables.pop()
        self._parts = [*table.outer, "\n\n", table.format(), "\n\n"]
        if self._tables and self._tables[-1].cell is not None:
            self._tables[-1].cell.has_blocks = True

    def finish_piece(self) -> None:
        """Close the text collected so far as a piece under the headings now open."""
        # A heading in a table: the table arranges parts of the page.
        while self._tables:
            self._finish_table()
        text = _clean_text("".join(self._parts + (self._heading or [])))
        self._heading = None
        if text:
            self.pieces.append(TextBlock(text, tuple(name for _, name in self._stack)))
        self._parts = []

    def _finish_heading(self, level: int) -> None:
        words = " ".join("".join(self._heading or []).split()).rstrip("¶# ")
        self._heading = None
        if words and not self._dropped_depth:
            self._stack = [entry for entry in self._stack if entry[0] < level] + [(level, words)]
            self._parts = [f"{words}\n\n"]


def _clean_text(text: str) -> str:
    """Collapse blank lines and remove spaces around line breaks."""
    text = re.sub(r"(?<![ \t])[ \t]+\n", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"(?<=\n) (?! )", "", text)).strip()
