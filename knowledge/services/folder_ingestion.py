"""Ingestion of the files of a folder."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

from django.conf import settings

from config.tenancy.scope import tenant_scope
from knowledge.choices import DocumentOrigin, DocumentStatus
from knowledge.embedders import get_embedder
from knowledge.models import Collection, Document
from knowledge.parsing import discover
from knowledge.parsing.sandbox import ChunkedDocument
from knowledge.services.documents import UNCHANGED, upload_document
from knowledge.services.files import FileTooLargeError, StoredFile, compute_checksum, iter_bytes, store_file
from knowledge.services.ingestion import (
    QUEUED,
    IndexingTask,
    IngestionResult,
    chunk_file,
    fail_document,
    finish_indexing,
    start_indexing,
)

Parsing: TypeAlias = tuple[IndexingTask, "Future[ChunkedDocument]"]


@dataclass(frozen=True, slots=True)
class Ingestion:
    """Ingestion of files into a collection. Opens its own scopes: use it outside any.

    Args:
        tenant_id: Tenant of the collection.
        collection: Collection of that tenant.
        actor: Actor recorded in the audit log.
        user_id: User who uploads the files, if any.
        queue: Whether to queue indexing jobs instead of indexing here.
    """

    tenant_id: UUID
    collection: Collection
    actor: str
    user_id: UUID | None = None
    queue: bool = False

    def files(self, path: Path) -> list[tuple[Path, str]]:
        """Return the supported files under `path` with their paths relative to it.

        Raises:
            ParseError: If `path` does not exist.
        """
        root = path if path.is_dir() else path.parent
        return [(file, file.relative_to(root).as_posix()) for file in discover(path)]

    def run(self, files: list[tuple[Path, str]]) -> Iterator[IngestionResult]:
        """Index the files one by one, skipping unchanged ones, and yield their results in order.

        The next file is parsed while the chunks of the previous one are embedded and stored.

        Raises:
            EmbeddingError: If the embedder is unavailable; files already yielded stay indexed.
            ValidationError: If the collection is archived; files that began before are indexed.
        """
        get_embedder(self.collection.embedding_model)
        previous: Parsing | IngestionResult | None = None
        with ThreadPoolExecutor(1, thread_name_prefix="parse") as parser:
            for file, source in files:
                try:
                    task = self._start(file, source)
                except Exception:
                    if previous is not None:
                        yield _finish(previous)
                    raise
                current = (
                    task if isinstance(task, IngestionResult) else (task, parser.submit(chunk_file, task))
                )
                if previous is not None:
                    yield _finish(previous)
                previous = current
            if previous is not None:
                yield _finish(previous)

    def _start(self, file: Path, source: str) -> IndexingTask | IngestionResult:
        """Store the file, and return the task that indexes it or the result."""
        try:
            if file.stat().st_size > settings.UPLOAD_MAX_BYTES:
                raise FileTooLargeError(settings.UPLOAD_MAX_BYTES)
            with file.open("rb") as stream:
                if self._is_there(source, compute_checksum(stream)):
                    return IngestionResult(source, UNCHANGED)
                stream.seek(0)
                stored = store_file(iter_bytes(stream), tenant_id=self.tenant_id, name=file.name)
        except (OSError, FileTooLargeError) as error:
            reason = f"cannot be read ({error.strerror})" if isinstance(error, OSError) else str(error)
            return self._unreadable(source, f"{file.name}: {reason}")
        document_id, done = self._bring(stored, source)
        if done or self.queue:
            return IngestionResult(source, UNCHANGED if done else QUEUED)
        return start_indexing(self.tenant_id, document_id, self.actor)

    def _is_there(self, source: str, checksum: str) -> bool:
        with tenant_scope(self.tenant_id, user=self.user_id, actor=self.actor):
            documents = Document.objects.filter(
                collection_id=self.collection.pk,
                source=source,
                checksum=checksum,
                status=DocumentStatus.INDEXED,
            )
            document = documents.first()
            return document is not None and document.is_current(self.collection)

    def _bring(self, kept: StoredFile, source: str) -> tuple[UUID, bool]:
        with tenant_scope(self.tenant_id, user=self.user_id, actor=self.actor):
            upload = upload_document(
                self.collection, kept, source=source, origin=DocumentOrigin.FOLDER, defer=self.queue
            )
            # Index a pending document here: the run that uploaded it may have been killed.
            done = upload.outcome == UNCHANGED and upload.document.status == DocumentStatus.INDEXED
            return upload.document.pk, done or (self.queue and upload.outcome == UNCHANGED)

    def _unreadable(self, source: str, message: str) -> IngestionResult:
        with tenant_scope(self.tenant_id, user=self.user_id, actor=self.actor):
            stored = StoredFile("", 0, "")
            upload = upload_document(
                self.collection, stored, source=source, origin=DocumentOrigin.FOLDER, defer=False
            )
        return fail_document(self.tenant_id, upload.document.pk, message, actor=self.actor)


def _finish(parsing: Parsing | IngestionResult) -> IngestionResult:
    if isinstance(parsing, IngestionResult):
        return parsing
    task, read = parsing
    return finish_indexing(task, read.result)
