"""Chunks of a document: replaced whole, in one transaction, so that a search sees the old ones or the new ones."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction

from config.db.ids import uuid7
from knowledge.choices import DocumentStatus
from knowledge.chunking import ChunkText
from knowledge.enrichment import Insight
from knowledge.models import Chunk, Document
from knowledge.parsing.bounded import CutDocument
from knowledge.services.storing import store_rows
from tenants.scoping import require_tenant_id

# FOR KEY SHARE: documents are stored side by side, while a change of the collection's model waits for all of them.
LOCK_SQL = "SELECT embedding_model, dimensions FROM knowledge_collection WHERE tenant_id = %s AND id = %s FOR KEY SHARE"

# Of a document's metadata: what a person called it; no file says that of itself.
GIVEN_TITLE = "given_title"


class Superseded(Exception):
    """The work was done for a file or a model that is no longer the current one."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read from a file, ready to be stored: chunks, what they are about, vectors of `model`."""

    checksum: str
    read: CutDocument
    vectors: "Sequence[array[float]]"
    model: str


def context_of(title: str, headings: str) -> str:
    """Title and headings; the first heading often is the title."""
    if not headings or headings == title or headings.startswith(f"{title} > "):
        return (headings or title)[:500]
    return f"{title} > {headings}"[:500]


@transaction.atomic
def replace_chunks(document: Document, reading: Reading) -> None:
    """Put the reading's chunks in the place of those that `document`, locked by the caller, has.

    Raises:
        Superseded: when the collection's embedding model has changed since.
    """
    model, dimensions = locked_model(document.collection_id)
    if model != reading.model:
        raise Superseded(model)
    Chunk.objects.filter(document_id=document.pk).delete()
    document.title = str(document.metadata.get(GIVEN_TITLE) or reading.read.title)[:500]
    chunks = [
        _chunk(document, piece, insight, model)
        for piece, insight in zip(reading.read.pieces, reading.read.insights, strict=True)
    ]
    store_rows(chunks, reading.vectors, dimensions=dimensions)
    _describe(document, reading)


def locked_model(collection_id: UUID) -> tuple[str, int]:
    """The embedding model of a collection and the length of its vectors, which stay so until the transaction ends.

    Raises:
        Superseded: when the collection is gone.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOCK_SQL, [require_tenant_id(), collection_id])
        row = cursor.fetchone()
    if row is None:
        raise Superseded("the collection is gone")
    return row[0], row[1]


def _chunk(document: Document, piece: ChunkText, insight: Insight, model: str) -> Chunk:
    return Chunk(
        id=uuid7(),
        tenant_id=document.tenant_id,
        collection_id=document.collection_id,
        document_id=document.pk,
        chunk_index=piece.index,
        content=piece.text,
        context=context_of(document.title, piece.context),
        page=piece.page,
        start=piece.start,
        end=piece.end,
        token_count=piece.tokens,
        embedding_model=model,
        semantic_keywords=insight.keywords,
        semantic_category=insight.category,
        semantic_summary=insight.summary,
        extracted_entities=insight.entities,
    )


def _describe(document: Document, reading: Reading) -> None:
    document.file_type = reading.read.media_type[:100]
    document.checksum = document.indexed_checksum = reading.checksum
    told = {name: value for name, value in reading.read.metadata.items() if name != GIVEN_TITLE}
    document.metadata = {**document.metadata, **told}
    document.status, document.error_message, document.progress = DocumentStatus.INDEXED, "", 100
    # Last, since it moves the counts of the collection, whose row stays locked until the end.
    document.chunk_count = len(reading.read.pieces)
    document.save()
