"""Replacement of a document's chunks in one transaction."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from config.db.ids import uuid7
from config.tenancy.scope import require_tenant_id
from knowledge.choices import DocumentStatus
from knowledge.chunking import ChunkText
from knowledge.enrichment import ChunkInsight
from knowledge.languages import get_main_language
from knowledge.models import Chunk, Document
from knowledge.parsing.sandbox import ChunkedDocument
from knowledge.services.chunk_storage import store_chunks
from tenants.event_types import DocumentIndexedEvent
from tenants.services.outbox import publish

# FOR KEY SHARE lets documents be stored concurrently, while a change of the collection's model waits for all of them.
LOCK_SQL = "SELECT embedding_model, dimensions FROM knowledge_collection WHERE tenant_id = %s AND id = %s FOR KEY SHARE"

# Metadata key of a title given by a user; metadata read from files never sets it.
GIVEN_TITLE = "given_title"
# Keys of a document's metadata: the id of the file that it is a copy of, the file's purpose and its attributes.
FILE_ID, PURPOSE, ATTRIBUTES = FILE_KEYS = ("file_id", "purpose", "attributes")
# Metadata key of the parser's warnings about content that was not read.
WARNINGS = "warnings"
# Clients cannot change them.
PROTECTED_KEYS = (*FILE_KEYS, WARNINGS)
# The content of a file cannot set them.
RESERVED_KEYS = (GIVEN_TITLE, *PROTECTED_KEYS)


class SupersededError(Exception):
    """The file or embedding model changed while the work was done."""


@dataclass(frozen=True, slots=True)
class IndexingResult:
    """Chunks, insights and vectors of a file, ready to store."""

    checksum: str
    read: ChunkedDocument
    vectors: "Sequence[array[float]]"
    model: str


def join_context(title: str, headings: str) -> str:
    """Join title and headings, dropping a first heading that repeats the title."""
    if not headings or headings == title or headings.startswith(f"{title} > "):
        return (headings or title)[:500]
    return f"{title} > {headings}"[:500]


def list_warnings(metadata: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the warnings in a document's metadata; imported metadata may hold anything."""
    warnings = metadata.get(WARNINGS)
    if not isinstance(warnings, list):
        return []
    return [each for each in warnings if isinstance(each, dict) and isinstance(each.get("message"), str)]


@transaction.atomic
def replace_chunks(document: Document, reading: IndexingResult) -> None:
    """Replace the chunks of `document`, which the caller has locked.

    Raises:
        SupersededError: If the collection's embedding model has changed.
    """
    model, dimensions = lock_embedding_model(document.collection_id)
    if model != reading.model:
        raise SupersededError(model)
    Chunk.objects.filter(document_id=document.pk).delete()
    document.title = str(document.metadata.get(GIVEN_TITLE) or reading.read.title)[:500]
    chunks = [
        _build_chunk(document, piece, insight, model)
        for piece, insight in zip(reading.read.pieces, reading.read.insights, strict=True)
    ]
    store_chunks(chunks, reading.vectors, dimensions=dimensions)
    _update_document(document, reading)


def lock_embedding_model(collection_id: UUID) -> tuple[str, int]:
    """Lock and return the collection's embedding model and its dimensions.

    Raises:
        SupersededError: If the collection has been deleted.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOCK_SQL, [require_tenant_id(), collection_id])
        row = cursor.fetchone()
    if row is None:
        raise SupersededError("the collection has been deleted")
    return row[0], row[1]


def _build_chunk(document: Document, piece: ChunkText, insight: ChunkInsight, model: str) -> Chunk:
    return Chunk(
        id=uuid7(),
        tenant_id=document.tenant_id,
        collection_id=document.collection_id,
        document_id=document.pk,
        chunk_index=piece.index,
        content=piece.text,
        context=join_context(document.title, piece.context),
        page=piece.page,
        start=piece.start,
        end=piece.end,
        token_count=piece.tokens,
        embedding_model=model,
        language=piece.language,
        semantic_keywords=insight.keywords,
        semantic_category=insight.category,
        semantic_summary=insight.summary,
        extracted_entities=insight.entities,
    )


def _update_document(document: Document, reading: IndexingResult) -> None:
    document.file_type = reading.read.media_type[:100]
    document.checksum = document.indexed_checksum = reading.checksum
    metadata = {name: value for name, value in reading.read.metadata.items() if name not in RESERVED_KEYS}
    document.metadata = {**document.metadata, **metadata}
    document.language = get_main_language([piece.language for piece in reading.read.pieces])
    document.metadata.pop(WARNINGS, None)
    if reading.read.warnings:
        document.metadata[WARNINGS] = reading.read.warnings
    document.status, document.error_message, document.progress = DocumentStatus.INDEXED, "", 100
    # Save last: the trigger updates the collection's counts and locks its row until the transaction ends.
    document.chunk_count = len(reading.read.pieces)
    publish(
        DocumentIndexedEvent(
            document_id=document.pk, collection_id=document.collection_id, chunk_count=document.chunk_count
        )
    )
    document.save()
