"""Citations: numbers the markers [n] of an answer in order and locates the quotes in their passages."""

import re
from bisect import bisect_right
from itertools import accumulate
from typing import Any

from conversations.runtime.citation_support import check_citations
from knowledge.services.search import FoundPassage

# Not after a word or a closing parenthesis: code such as `row[1]` is not a citation.
CITATION_MARKER = re.compile(r"(?<![\w)])\[(\d{1,3})\]")
REMOVED_MARKER = re.compile(r"\s?\0")
# A trailing fragment that may become a marker, or the space before one.
PARTIAL_MARKER = re.compile(r"(?:\s|\s?\[\d{0,3})\Z")
QUOTE_LENGTH = 300


class CitationRenumberer:
    """Renumbers markers in a stream; the joined result equals that of `renumber_citations`."""

    def __init__(self, passages: list[FoundPassage]) -> None:
        # Shared with the turn, which appends to it.
        self.passages = passages
        self.order: dict[int, int] = {}
        self._pending = self._before = ""

    def feed(self, piece: str) -> str:
        """Add `piece`, without NUL, and return the text that is ready."""
        text = self._pending + piece
        undecided = PARTIAL_MARKER.search(text)
        end = undecided.start() if undecided else len(text)
        self._pending = text[end:]
        return self._render(text[:end])

    def flush(self) -> str:
        """Return the rest of the text after the last piece."""
        pending, self._pending = self._pending, ""
        return self._render(pending)

    def _render(self, text: str) -> str:
        if not text:
            return ""
        # The marker pattern looks at the preceding character, so prepend it and cut it off.
        before, self._before = self._before, text[-1]
        return REMOVED_MARKER.sub("", CITATION_MARKER.sub(self._renumber, before + text))[len(before) :]

    def _renumber(self, mark: re.Match[str]) -> str:
        number = int(mark.group(1))
        if not 1 <= number <= len(self.passages):
            return "\0"
        return f"[{self.order.setdefault(number, len(self.order) + 1)}]"


def renumber_citations(text: str, passages: list[FoundPassage]) -> tuple[str, list[dict[str, Any]]]:
    """Renumber the citations of `text` in order, removing markers of unknown passages."""
    renumberer = CitationRenumberer(passages)
    content = renumberer.feed(text) + renumberer.flush()
    cited = {place: passages[number - 1] for number, place in renumberer.order.items()}
    supported = check_citations(content, cited)
    citations = [
        _build_citation(place, passage, content) | {"supported": supported[place]}
        for place, passage in cited.items()
    ]
    return content, citations


def _build_citation(place: int, passage: FoundPassage, content: str) -> dict[str, Any]:
    located = PassageText(passage.text)
    found = ((line, located.find(line)) for line in _find_quotes(content, place))
    spans = {span: line for line, span in found if span}
    (start, end), quote = next(iter(spans.items()), ((0, min(len(passage.text), QUOTE_LENGTH)), ""))
    return {
        "number": place,
        "chunk": str(passage.id),
        "document": str(passage.document_id),
        "title": passage.title or passage.filename,
        "source": passage.source,
        "context": passage.context,
        "page": passage.page,
        "score": round(passage.score, 4),
        "quote": quote or passage.text[:QUOTE_LENGTH],
        "start": start,
        "end": end,
        **passage.locate(start, end),
        "spans": [{"start": start, "end": end} | passage.locate(start, end) for start, end in spans],
    }


class PassageText:
    """Finds quotes in a passage, regardless of line breaks and repeated spaces."""

    def __init__(self, text: str) -> None:
        found = list(re.finditer(r"\S+", text))
        self._text = " ".join(word[0] for word in found)
        self._starts = [word.start() for word in found]
        lengths = (len(word[0]) + 1 for word in found)
        self._offsets = list(accumulate(lengths, initial=0))[:-1]

    def find(self, quote: str) -> tuple[int, int] | None:
        """Return the start and end of `quote`, whose words are separated by single spaces."""
        at = self._text.find(quote) if quote else -1
        return None if at < 0 else (self._locate(at), self._locate(at + len(quote) - 1) + 1)

    def _locate(self, offset: int) -> int:
        word = bisect_right(self._offsets, offset) - 1
        return self._starts[word] + offset - self._offsets[word]


def _find_quotes(content: str, place: int) -> list[str]:
    """Return the parts of `content` that end with the marker `[place]`."""
    return [
        " ".join(part.split("]")[-1].split()) for part in content.split(f"[{place}]")[:-1] if part.strip()
    ]
