"""Reader for HTML: keeps blocks, headings and tables, drops navigation and scripts."""

import re
from html.parser import HTMLParser

from knowledge.parsing.document import ReaderResult, TextBlock, decode

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
    return ReaderResult(
        page.pieces, page.title or next((piece.path[0] for piece in page.pieces if piece.path), "")
    )


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

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.dropped:
            self._dropped_starts.setdefault(tag, self._dropped_depth)
            self._dropped_depth += 1
        elif tag == "title":
            self._in_title = not self.title
        elif tag in _HEADINGS:
            self.finish_piece()
            self._heading = []
        elif tag == "br":
            self._parts.append("\n")
        elif tag in ("td", "th"):
            self._parts.append(" | " if self._parts and not self._parts[-1].endswith("\n") else "")
        elif tag in _BLOCKS:
            self._pre += tag == "pre"
            self._parts.append("\n- " if tag == "li" else "\n" if tag in ("tr", "dd", "dt") else "\n\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._dropped_starts:
            self._dropped_depth = self._dropped_starts[tag]
            starts = self._dropped_starts.items()
            self._dropped_starts = {name: depth for name, depth in starts if depth < self._dropped_depth}
        elif tag == "title":
            self._in_title = False
        elif tag in _HEADINGS and self._heading is not None:
            self._finish_heading(_HEADINGS[tag])
        elif tag in _BLOCKS:
            self._pre = max(0, self._pre - (tag == "pre"))
            self._parts.append("" if tag in ("li", "tr", "dd", "dt") else "\n\n")

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif self._heading is not None:
            self._heading.append(data)
        elif not self._dropped_depth:
            self._parts.append(data if self._pre else re.sub(r"\s+", " ", data))

    def finish_piece(self) -> None:
        """Close the text collected so far as a piece under the headings now open."""
        text = re.sub(r"(?<![ \t])[ \t]+\n", "\n", "".join(self._parts + (self._heading or [])))
        self._heading = None
        text = re.sub(r"\n{3,}", "\n\n", re.sub(r"(?<=\n) (?! )", "", text)).strip()
        if text:
            self.pieces.append(TextBlock(text, tuple(name for _, name in self._stack)))
        self._parts = []

    def _finish_heading(self, level: int) -> None:
        words = " ".join("".join(self._heading or []).split()).rstrip("¶# ")
        self._heading = None
        if words and not self._dropped_depth:
            self._stack = [entry for entry in self._stack if entry[0] < level] + [(level, words)]
            self._parts = [f"{words}\n\n"]
