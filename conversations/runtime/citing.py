"""Citations: numbers the markers [n] of an answer in order."""

import re
from typing import Any

from knowledge.services.search import FoundPassage

# Not after a word or a closing parenthesis: code such as `row[1]` is not a citation.
MARKER = re.compile(r"(?<![\w)])\[(\d{1,3})\]")
UNCITED = re.compile(r"\s?\0")
# A trailing fragment that may become a marker, or the space before one.
UNDECIDED = re.compile(r"(?:\s|\s?\[\d{0,3})\Z")
SNIPPET = 300


class Citing:
    """Renumbers markers in a stream; the joined result equals that of `cite`."""

    def __init__(self, passages: list[FoundPassage]) -> None:
        # Shared with the turn, which appends to it.
        self.passages = passages
        self.order: dict[int, int] = {}
        self._held = self._before = ""

    def feed(self, piece: str) -> str:
        """Add `piece`, without NUL, and return the text that is ready."""
        text = self._held + piece
        undecided = UNDECIDED.search(text)
        end = undecided.start() if undecided else len(text)
        self._held = text[end:]
        return self._shown(text[:end])

    def rest(self) -> str:
        """Return the rest of the text after the last piece."""
        held, self._held = self._held, ""
        return self._shown(held)

    def _shown(self, text: str) -> str:
        if not text:
            return ""
        # The marker pattern looks at the preceding character, so prepend it and cut it off.
        before, self._before = self._before, text[-1]
        return UNCITED.sub("", MARKER.sub(self._renumber, before + text))[len(before) :]

    def _renumber(self, mark: re.Match[str]) -> str:
        number = int(mark.group(1))
        if not 1 <= number <= len(self.passages):
            return "\0"
        return f"[{self.order.setdefault(number, len(self.order) + 1)}]"


def cite(text: str, passages: list[FoundPassage]) -> tuple[str, list[dict[str, Any]]]:
    """Renumber the citations of `text` in order, removing markers of unknown passages."""
    citing = Citing(passages)
    content = citing.feed(text) + citing.rest()
    citations = [_citation(place, passages[number - 1], content) for number, place in citing.order.items()]
    return content, citations


def _citation(place: int, passage: FoundPassage, content: str) -> dict[str, Any]:
    quote = next((line for line in _quoted(content, place) if line in " ".join(passage.text.split())), "")
    return {
        "number": place,
        "chunk": str(passage.id),
        "document": str(passage.document_id),
        "title": passage.title or passage.filename,
        "source": passage.source,
        "context": passage.context,
        "page": passage.page,
        "score": round(passage.score, 4),
        "quote": quote or passage.text[:SNIPPET],
    }


def _quoted(content: str, place: int) -> list[str]:
    """Return the parts of `content` that end with the marker `[place]`."""
    return [
        " ".join(part.split("]")[-1].split()) for part in content.split(f"[{place}]")[:-1] if part.strip()
    ]
