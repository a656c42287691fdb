"""Citations: marks [n] become numbers in the order of the answer, at once or while the text still comes."""

import re
from typing import Any

from knowledge.services.search import FoundPassage

# Not attached to a word or a bracket: quoted code such as `row[1]` cites nothing.
MARKER = re.compile(r"(?<![\w)])\[(\d{1,3})\]")
UNCITED = re.compile(r"\s?\0")
# The end of a text that may still become a mark, or the blank before one.
UNDECIDED = re.compile(r"(?:\s|\s?\[\d{0,3})\Z")
SNIPPET = 300


class Citing:
    """Renumbers marks piece by piece; all pieces together are what `cite` makes of the whole text."""

    def __init__(self, passages: list[FoundPassage]) -> None:
        # The turn's own list, which grows.
        self.passages = passages
        self.order: dict[int, int] = {}
        self._held = self._before = ""

    def feed(self, piece: str) -> str:
        """What of the text can be shown, now that `piece` has come; without NUL."""
        text = self._held + piece
        undecided = UNDECIDED.search(text)
        end = undecided.start() if undecided else len(text)
        self._held = text[end:]
        return self._shown(text[:end])

    def rest(self) -> str:
        """What was held back, when the text has ended."""
        held, self._held = self._held, ""
        return self._shown(held)

    def _shown(self, text: str) -> str:
        if not text:
            return ""
        # A mark is none after a letter, so the letter before is looked at and left out again.
        before, self._before = self._before, text[-1]
        return UNCITED.sub("", MARKER.sub(self._renumber, before + text))[len(before) :]

    def _renumber(self, mark: re.Match[str]) -> str:
        number = int(mark.group(1))
        if not 1 <= number <= len(self.passages):
            return "\0"
        return f"[{self.order.setdefault(number, len(self.order) + 1)}]"


def cite(text: str, passages: list[FoundPassage]) -> tuple[str, list[dict[str, Any]]]:
    """Number the passages that `text` cites in the order it cites them; marks of no passage are taken out."""
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
    """The stretches of `content` that end in the mark `[place]`."""
    return [
        " ".join(part.split("]")[-1].split()) for part in content.split(f"[{place}]")[:-1] if part.strip()
    ]
