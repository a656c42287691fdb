"""Context of a passage: its neighbouring chunks and its section."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from config.tenancy.scope import require_tenant_id
from knowledge.services.search import FoundPassage

SECTION_CHARACTERS = 4000
AROUND_SQL = """
SELECT hit.id, c.id, c.chunk_index, c.content, c.chunk_index BETWEEN hit.chunk_index - %(reach)s
    AND hit.chunk_index + %(reach)s AS near, c.context = hit.context AS section
FROM unnest(%(ids)s::uuid[], %(documents)s::uuid[], %(places)s::int[], %(contexts)s::text[])
  AS hit (id, document_id, chunk_index, context)
JOIN knowledge_chunk c ON c.tenant_id = %(tenant)s AND c.document_id = hit.document_id
WHERE c.chunk_index BETWEEN hit.chunk_index - %(reach)s AND hit.chunk_index + %(reach)s OR c.context = hit.context
ORDER BY hit.id, c.chunk_index
"""


@dataclass(frozen=True, slots=True)
class NeighbourChunk:
    """A chunk before or after a hit, as its `chunk_index` shows."""

    id: UUID
    chunk_index: int
    text: str


@dataclass(frozen=True, slots=True)
class PassageContext:
    """Neighbours in document order, and the truncated text under the same headings."""

    neighbours: tuple[NeighbourChunk, ...]
    section: str


def load_passage_contexts(passages: Sequence[FoundPassage], *, reach: int) -> dict[UUID, PassageContext]:
    """Return the context of each passage by id, with `reach` chunks on each side."""
    with connection.cursor() as cursor:
        cursor.execute(
            AROUND_SQL,
            {
                "tenant": require_tenant_id(),
                "reach": reach,
                "ids": [passage.id for passage in passages],
                "documents": [passage.document_id for passage in passages],
                "places": [passage.chunk_index for passage in passages],
                "contexts": [passage.context for passage in passages],
            },
        )
        rows = cursor.fetchall()
    return {passage.id: _build_context([row for row in rows if row[0] == passage.id]) for passage in passages}


def _build_context(rows: list[tuple[Any, ...]]) -> PassageContext:
    near = [NeighbourChunk(*row[1:4]) for row in rows if row[4] and row[1] != row[0]]
    section = "\n\n".join(row[3] for row in rows if row[5])
    return PassageContext(tuple(near), section[:SECTION_CHARACTERS])
