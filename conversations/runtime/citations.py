"""Citations: numbers the markers [n] of an answer in order."""

import re
from typing import Any

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
    citations = [
        _build_citation(place, passages[number - 1], content) for number, place in renumberer.order.items()
    ]
    return content, citations


def _build_citation(place: int, passage: FoundPassage, content: str) -> dict[str, Any]:
    quote = next(
        (line for line in _find_quotes(content, place) if line in " ".join(passage.text.split())), ""
    )
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
    }


def _find_quotes(content: str, place: int) -> list[str]:
    """Return the parts of `content` that end with the marker `[place]`."""
    return [
        " ".join(part.split("]")[-1].split()) for part in content.split(f"[{place}]")[:-1] if part.strip()
    ]
