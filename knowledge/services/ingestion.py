"""Reading files into a collection: each file is one transaction, so a killed run leaves whole files only."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q, Sum
from django.utils import timezone

from config.db.ids import uuid7
from knowledge.choices import DocumentStatus
from knowledge.chunking import ChunkText, chunk
from knowledge.embedders import Embedder, get_embedder
from knowledge.models import Chunk, ChunkVector384, Collection, Document
from knowledge.parsing import MAX_BYTES, ParsedDocument, ParseError, discover, parse_bytes
from tenants.scoping import require_tenant_id, tenant_scope

INDEXED, UNCHANGED, FAILED = "indexed", "unchanged", "failed"


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one file: `indexed`, `unchanged` or `failed` (with its error)."""

    source: str
    outcome: str
    chunks: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Ingestion:
    """Files on their way into a collection. Opens its own scopes: call it outside any.

    Args:
        tenant_id: whose collection it is.
        collection: an instance of that tenant.
        actor: who brings the files, for the audit log.
        user_id: the person among them, if one.
    """

    tenant_id: UUID
    collection: Collection
    actor: str
    user_id: UUID | None = None

    def files(self, path: Path) -> list[tuple[Path, str]]:
        """The readable files under `path`, each with its source: the path inside the folder.

        Raises:
            ParseError: when `path` does not exist.
        """
        root = path if path.is_dir() else path.parent
        return [(file, file.relative_to(root).as_posix()) for file in discover(path)]

    def run(self, files: list[tuple[Path, str]]) -> Iterator[FileResult]:
        """Read the files one by one; those that are there unchanged are passed over.

        Raises:
            EmbeddingError: when the embedder cannot be used; files already yielded stay indexed.
        """
        embedder = get_embedder(self.collection.embedding_model)
        try:
            for file, source in files:
                yield self._file(file, source, embedder)
        finally:
            with self._scope():
                refresh_counts(self.collection)

    def _scope(self) -> Any:
        return tenant_scope(self.tenant_id, user=self.user_id, actor=self.actor)

    def _file(self, file: Path, source: str, embedder: Embedder) -> FileResult:
        try:
            with file.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
        except OSError as error:
            message = f"{file.name}: cannot be read ({error.strerror})"
            return self._failed(source, 0, _checksum(b""), message)
        checksum = _checksum(data)
        with self._scope():
            if _is_current(self.collection, source, checksum):
                return FileResult(source, UNCHANGED)
        try:
            parsed = parse_bytes(data, str(file))
            pieces = chunk(parsed, size=self.collection.chunk_size, overlap=self.collection.chunk_overlap)
        except ParseError as error:
            return self._failed(source, len(data), checksum, str(error))
        vectors = embedder.embed([_embedded_text(parsed, piece) for piece in pieces])
        with self._scope():
            document = _document_for_update(self.collection, source)
            _describe(document, parsed, data, checksum, self.user_id)
            store_chunks(document, pieces, vectors)
        return FileResult(source, INDEXED, len(pieces))

    def _failed(self, source: str, size: int, checksum: str, message: str) -> FileResult:
        with self._scope():
            document = _document_for_update(self.collection, source)
            Chunk.objects.filter(document_id=document.pk).delete()
            document.status, document.error_message = DocumentStatus.FAILED, message
            document.file_size, document.checksum = size, checksum
            document.chunk_count = 0
            document.save()
        return FileResult(source, FAILED, error=message)


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _embedded_text(parsed: ParsedDocument, piece: ChunkText) -> str:
    return f"{parsed.title} {piece.context}\n{piece.text}"


def _is_current(collection: Collection, source: str, checksum: str) -> bool:
    document = Document.objects.filter(
        collection_id=collection.pk, source=source, checksum=checksum, status=DocumentStatus.READY
    ).first()
    if document is None:
        return False
    chunks = Chunk.objects.filter(document_id=document.pk)
    return not chunks.exclude(embedding_model=collection.embedding_model).exists()


def _document_for_update(collection: Collection, source: str) -> Document:
    defaults = {"filename": source.rsplit("/", 1)[-1][:500], "status": DocumentStatus.PROCESSING}
    document, _ = Document.objects.select_for_update().get_or_create(
        tenant_id=require_tenant_id(), collection_id=collection.pk, source=source, defaults=defaults
    )
    return document


def _describe(
    document: Document, parsed: ParsedDocument, data: bytes, checksum: str, user_id: UUID | None
) -> None:
    document.title = parsed.title[:500]
    document.file_type = parsed.media_type[:100]
    document.file_size = len(data)
    document.checksum = checksum
    document.metadata = parsed.metadata
    document.status, document.error_message = DocumentStatus.READY, ""
    document.uploaded_by_id, document.uploaded_at = user_id, timezone.now()


@transaction.atomic
def store_chunks(document: Document, pieces: list[ChunkText], vectors: Any) -> None:
    """Replace the chunks of `document` and their vectors, and save it."""
    Chunk.objects.filter(document_id=document.pk).delete()
    common = {"tenant_id": document.tenant_id, "collection_id": document.collection_id}
    model = document.collection.embedding_model
    chunks = [
        Chunk(
            id=uuid7(),
            document_id=document.pk,
            chunk_index=piece.index,
            content=piece.text,
            context=_context(document.title, piece.context),
            page=piece.page,
            start=piece.start,
            end=piece.end,
            token_count=piece.tokens,
            embedding_model=model,
            **common,
        )
        for piece in pieces
    ]
    Chunk.objects.bulk_create(chunks, batch_size=500)
    ChunkVector384.objects.bulk_create(
        [
            ChunkVector384(id=chunk.pk, embedding=vector, **common)
            for chunk, vector in zip(chunks, vectors, strict=True)
        ],
        batch_size=500,
    )
    document.chunk_count = len(chunks)
    document.save()


def _context(title: str, headings: str) -> str:
    """Title and headings; the first heading often is the title."""
    if not headings or headings == title or headings.startswith(f"{title} > "):
        return (headings or title)[:500]
    return f"{title} > {headings}"[:500]


def refresh_counts(collection: Collection) -> None:
    """Count the ready documents and their chunks anew."""
    counts = Document.objects.filter(collection_id=collection.pk).aggregate(
        documents=Count("id", filter=Q(status=DocumentStatus.READY)), chunks=Sum("chunk_count", default=0)
    )
    Collection.objects.filter(pk=collection.pk).update(
        document_count=counts["documents"], chunk_count=counts["chunks"]
    )
