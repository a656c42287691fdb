"""Expansion of passages with the text around them, within a number of tokens.

A passage is expanded by whole chunks: those under the same headings, or the neighbouring ones if no other chunk has the
same headings. Passages whose expanded texts overlap are merged, so that no text occurs twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from config.tenancy.scope import require_tenant_id
from knowledge.chunking import count_tokens
from knowledge.services.search import FoundPassage

# Chunks read on each side of a passage.
MAX_REACH = 16
# Characters between two chunks of a document beyond which the text between them is unknown.
MAX_GAP = 200
CHUNKS_SQL = """
SELECT c.document_id, c.chunk_index, c.id, c.content, c.start, c."end", c.token_count, c.context
FROM (SELECT DISTINCT document_id, place
    FROM unnest(%(documents)s::uuid[], %(places)s::int[]) AS hit (document_id, chunk_index)
      CROSS JOIN generate_series(hit.chunk_index - %(reach)s, hit.chunk_index + %(reach)s) AS place) near
  JOIN knowledge_chunk c
    ON c.tenant_id = %(tenant)s AND c.document_id = near.document_id AND c.chunk_index = near.place
WHERE c.collection_id = ANY(%(collections)s)
"""


@dataclass(frozen=True, slots=True)
class ExpandedPassage:
    """A passage with the text around it; `start` is the offset of `text` in the document, None if it is unknown.

    `chunks` are the ids of the chunks of `text`, in document order.
    """

    passage: FoundPassage
    text: str
    start: int | None
    chunks: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class _ChunkRow:
    id: UUID
    text: str
    start: int
    end: int
    tokens: int
    context: str


_Document = Mapping[int, _ChunkRow]


@dataclass(slots=True, eq=False)
class _Window:
    """The chunks `first` to `last` of a document, around the best passage among them."""

    passage: FoundPassage
    first: int
    last: int

    def touches(self, other: "_Window", document: _Document) -> bool:
        """Return whether the two have a chunk, or text of adjacent chunks, in common."""
        if self.passage.document_id != other.passage.document_id:
            return False
        before, after = sorted((self, other), key=lambda window: window.first)
        if after.first <= before.last:
            return True
        return after.first == before.last + 1 and _overlaps(document, before.last)


def expand_passages(passages: Sequence[FoundPassage], *, tokens: int) -> list[ExpandedPassage]:
    """Return the passages with up to `tokens` tokens of text around each of them.

    Merged passages have the place of the best one, so the result may be shorter. Reads all chunks in one statement.
    Needs a tenant scope.
    """
    if tokens <= 0 or not passages:
        return [_build_unexpanded(passage) for passage in passages]
    documents = _load_chunks(passages)
    windows: list[_Window] = []
    for passage in passages:
        document = documents.get(passage.document_id, {})
        _add_window(windows, _grow_window(passage, document, tokens), document)
    return [_build_expanded(window, documents.get(window.passage.document_id, {})) for window in windows]


def _load_chunks(passages: Sequence[FoundPassage]) -> dict[UUID, dict[int, _ChunkRow]]:
    """Return the chunks around the passages by document and position."""
    parameters: dict[str, Any] = {
        "tenant": require_tenant_id(),
        "reach": MAX_REACH,
        "documents": [passage.document_id for passage in passages],
        "places": [passage.chunk_index for passage in passages],
        "collections": list({passage.collection_id for passage in passages}),
    }
    documents: dict[UUID, dict[int, _ChunkRow]] = {}
    with connection.cursor() as cursor:
        cursor.execute(CHUNKS_SQL, parameters)
        for document_id, place, *columns in cursor.fetchall():
            documents.setdefault(document_id, {})[place] = _build_row(*columns)
    return documents


def _build_row(identifier: UUID, text: str, start: int, end: int, tokens: int, context: str) -> _ChunkRow:
    return _ChunkRow(identifier, text, start, end, tokens or count_tokens(text), context)


def _grow_window(passage: FoundPassage, document: _Document, tokens: int) -> _Window:
    """Add chunks after and before the passage in turn, as long as the next one on a side fits."""
    window = _Window(passage, passage.chunk_index, passage.chunk_index)
    context = passage.context if _has_section(passage, document) else None
    open_sides = [1, -1] if passage.chunk_index in document else []
    while open_sides:
        for side in tuple(open_sides):
            place = window.last + 1 if side > 0 else window.first - 1
            row = document.get(place)
            if row is None or row.tokens > tokens or context not in (None, row.context):
                open_sides.remove(side)
                continue
            tokens -= row.tokens
            window.first, window.last = min(window.first, place), max(window.last, place)
    return window


def _has_section(passage: FoundPassage, document: _Document) -> bool:
    """Return whether an adjacent chunk has the same headings."""
    places = (passage.chunk_index - 1, passage.chunk_index + 1)
    return any(place in document and document[place].context == passage.context for place in places)


def _add_window(windows: list[_Window], new: _Window, document: _Document) -> None:
    """Add the window, or merge it and all that it touches into the best of them."""
    touching = [window for window in windows if window.touches(new, document)]
    if not touching:
        windows.append(new)
        return
    best, *rest = touching
    best.first = min(window.first for window in (*touching, new))
    best.last = max(window.last for window in (*touching, new))
    for window in rest:
        windows.remove(window)


def _overlaps(document: _Document, place: int) -> bool:
    """Return whether the chunk at `place` and the next one share text."""
    row, following = document.get(place), document.get(place + 1)
    return bool(row and following and following.start < row.end)


def _build_unexpanded(passage: FoundPassage) -> ExpandedPassage:
    return ExpandedPassage(passage, passage.text, passage.start, (passage.id,))


def _build_expanded(window: _Window, document: _Document) -> ExpandedPassage:
    rows = [document[place] for place in range(window.first, window.last + 1) if place in document]
    if len(rows) < 2:
        return _build_unexpanded(window.passage)
    text, start = _join_rows(rows)
    return ExpandedPassage(window.passage, text, start, tuple(row.id for row in rows))


def _join_rows(rows: Sequence[_ChunkRow]) -> tuple[str, int | None]:
    """Return the text of adjacent chunks, each part once, and its offset in the document.

    White space replaces the characters between chunks, so that the offsets remain valid.
    """
    text, start = rows[0].text, rows[0].start
    if not all(0 < row.end - row.start == len(row.text) for row in rows):
        return "\n\n".join(row.text for row in rows), None
    for row in rows[1:]:
        gap = row.start - start - len(text)
        if gap > MAX_GAP:
            return "\n\n".join(each.text for each in rows), None
        text += row.text[-gap:] if gap < 0 else " " * (gap - 2) + "\n" * min(gap, 2) + row.text
    return text, start
