"""Indexing of documents: parse, chunk, enrich, embed, store.

Parsing, chunking and keyword extraction run in a subprocess with resource limits, since a file can make them expensive.
No transaction is open while a file is fetched, parsed or embedded. The chunks of a document are replaced in one
transaction, so an interrupted run leaves only complete documents and searches see either the old or the new chunks.
"""

import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings

from config.net.fetch import FetchError, fetched
from knowledge.choices import DocumentOrigin, DocumentStatus
from knowledge.embedders import EmbeddingError, get_embedder
from knowledge.enrichers import enriched, is_wanted
from knowledge.enrichment import Insight
from knowledge.models import Collection, Document
from knowledge.parsing import ParsedDocument, ParseError, discover, suffix_for, suffix_of
from knowledge.parsing.bounded import CutDocument, Readers
from knowledge.services.chunks import Reading, Superseded, replace_chunks
from knowledge.services.documents import UNCHANGED, bring_file, is_current
from knowledge.services.embedding import embedded
from knowledge.services.files import (
    FileTooLarge,
    KeptFile,
    checksum_of,
    forget_file,
    keep_file,
    local_file,
    pieces_of,
)
from tenants.scoping import tenant_scope

INDEXED, FAILED, GONE, QUEUED = "indexed", "failed", "gone", "queued"
ACTOR = "system:ingest"
PROGRESS_SECONDS = 2.0
PARSED, EMBEDDED = 20, 90
MAX_CHUNKS = 30_000
MODEL_CHANGES = 5
# Scale the time limit with the size, so that many malicious small files cannot block a worker for hours.
SECONDS, SECONDS_PER_MB = 20, 10
_readers = Readers(max(1, settings.PARSE_PROCESSES))


@dataclass(frozen=True, slots=True)
class FileResult:
    """Result of one file: `indexed`, `unchanged`, `queued`, `gone` or `failed` with an error."""

    source: str
    outcome: str
    chunks: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """Snapshot of a document to index, copied while its row was locked."""

    tenant_id: UUID
    document_id: UUID
    collection: Collection
    actor: str
    source: str
    origin: str
    path: str
    size: int
    checksum: str

    def scope(self) -> Any:
        """Open a transaction in the scope of the document's tenant."""
        return tenant_scope(self.tenant_id, actor=self.actor)


def index_document(tenant_id: UUID, document_id: UUID, *, actor: str = ACTOR) -> FileResult:
    """Index a document: parse it and store its chunks. Call it outside any scope.

    An unreadable file is a result, not an exception: the document stores the error and keeps the chunks of the
    previous file.

    Raises:
        EmbeddingError: If the embedder fails; the document stays `processing`.
        OSError: If the storage is unavailable.
    """
    task = _begin(tenant_id, document_id, actor)
    if isinstance(task, FileResult):
        return task
    try:
        if task.origin == DocumentOrigin.URL:
            task = _fetch(task)
        if isinstance(task, FileResult):
            return task
        return _finish(task, _enriched(task, _cut(task)))
    except (ParseError, FetchError, FileTooLarge) as error:
        checksum = task.checksum if isinstance(task, Task) else None
        return fail_document(tenant_id, document_id, str(error), actor=actor, checksum=checksum)


def _begin(tenant_id: UUID, document_id: UUID, actor: str) -> Task | FileResult:
    with tenant_scope(tenant_id, actor=actor):
        document = Document.objects.select_for_update(of=("self",)).filter(pk=document_id).first()
        if document is None:
            return FileResult("", GONE)
        collection = document.collection
        if document.status == DocumentStatus.INDEXED and is_current(document, collection):
            return FileResult(document.source, UNCHANGED)
        document.status, document.progress, document.error_message = DocumentStatus.PROCESSING, 0, ""
        document.save(update_fields=["status", "progress", "error_message", "updated_at"])
        return Task(
            tenant_id, document_id, collection, actor, document.source, document.origin,
            document.storage_path, document.file_size, document.checksum,
        )  # fmt: skip


def _fetch(task: Task) -> Task | FileResult:
    """Fetch and store the page; return the updated task, or a result if it is unchanged.

    The media type determines the format; the suffix of the URL is the fallback.
    """
    with fetched(task.source, max_bytes=settings.UPLOAD_MAX_BYTES) as page:
        path = page.url.partition("?")[0].partition("#")[0].rstrip("/")
        suffix = (
            suffix_for(page.media_type) or (suffix_of(Path(path)) if path.count("/") > 2 else "") or ".html"
        )
        kept = keep_file(page.chunks, tenant_id=task.tenant_id, name=f"page{suffix}")
    with task.scope():
        document = Document.objects.select_for_update(of=("self",)).filter(pk=task.document_id).first()
        if document is None:
            forget_file(kept.path)
            return FileResult(task.source, GONE)
        forget_file(document.storage_path)
        document.storage_path, document.file_size, document.checksum = kept.path, kept.size, kept.checksum
        unchanged = is_current(document, document.collection)
        if unchanged:
            document.status, document.progress = DocumentStatus.INDEXED, 100
        document.save()
    if unchanged:
        return FileResult(task.source, UNCHANGED)
    return replace(task, path=kept.path, size=kept.size, checksum=kept.checksum)


def parse_stored(path: str, name: str, size: int, *, seconds: int) -> ParsedDocument:
    """Parse a stored file in a sandboxed process, waiting for a free process.

    Args:
        name: File name; its suffix determines the format.
        seconds: Maximum CPU time.

    Raises:
        ParseError: If it cannot be parsed within the limits.
        FileNotFoundError: If the storage does not have the file.
    """
    with local_file(path) as stream:
        return _readers.parse(
            stream, name, megabytes=settings.PARSE_MEMORY_MB, seconds=_seconds(size, seconds)
        )


def _seconds(size: int, most: int) -> int:
    return min(most, SECONDS + SECONDS_PER_MB * size // 1024**2)


def _cut(task: Task) -> CutDocument:
    """Parse and chunk the task's file."""
    # The stored name of a page has the suffix of its media type, which is more reliable than the URL.
    name = task.source
    if task.origin == DocumentOrigin.URL:
        name = f"{task.source.rstrip('/').rsplit('/', 1)[-1] or 'page'}{suffix_of(Path(task.path))}"
    try:
        with local_file(task.path) as stream:
            return _readers.cut(
                stream,
                name,
                size=task.collection.chunk_size,
                overlap=task.collection.chunk_overlap,
                most=MAX_CHUNKS,
                megabytes=settings.PARSE_MEMORY_MB,
                seconds=_seconds(task.size, settings.PARSE_SECONDS),
            )
    except FileNotFoundError as error:
        raise ParseError(f"{task.source}: the stored file is missing; upload it again") from error


def _enriched(task: Task, read: CutDocument) -> CutDocument:
    """Enrich the chunks with a model if the collection enables it, reporting progress."""
    if not is_wanted(task.collection.settings):
        return read
    found: list[Insight] = []
    told = time.monotonic()
    for insight in enriched([piece.text for piece in read.pieces], read.insights):
        found.append(insight)
        if time.monotonic() - told > PROGRESS_SECONDS:
            told = time.monotonic()
            _tell(task, PARSED * len(found) // len(read.pieces))
    return replace(read, insights=found)


def _tell(task: Task, progress: int) -> None:
    with task.scope():
        # Another worker may have finished first, or another file may have been uploaded.
        waiting = Document.objects.filter(pk=task.document_id, status=DocumentStatus.PROCESSING)
        waiting.update(progress=progress)


def _finish(task: Task, read: CutDocument) -> FileResult:
    texts = [f"{read.title} {piece.context}\n{piece.text}" for piece in read.pieces]
    model = task.collection.embedding_model
    for _ in range(MODEL_CHANGES):
        reading = Reading(task.checksum, read, _vectors(task, model, texts), model)
        try:
            return _store(task, reading)
        except Superseded as changed:
            model = str(changed)
    raise EmbeddingError("the collection's embedding model keeps changing; try again later")


def _vectors(task: Task, model: str, texts: list[str]) -> "list[array[float]]":
    """Embed `texts`, reporting progress."""
    made: list[array[float]] = []
    told = time.monotonic()
    for vector in embedded(get_embedder(model), texts):
        made.append(vector)
        if time.monotonic() - told > PROGRESS_SECONDS:
            told = time.monotonic()
            _tell(task, PARSED + (EMBEDDED - PARSED) * len(made) // len(texts))
    return made


def _store(task: Task, reading: Reading) -> FileResult:
    with task.scope():
        document = Document.objects.select_for_update(of=("self",)).filter(pk=task.document_id).first()
        if document is None:
            return FileResult(task.source, GONE)
        if document.checksum != reading.checksum:
            # Another file was uploaded in the meantime; its job indexes it.
            return FileResult(task.source, UNCHANGED)
        if document.status == DocumentStatus.INDEXED and is_current(document, document.collection):
            return FileResult(task.source, UNCHANGED)
        replace_chunks(document, reading)
    return FileResult(task.source, INDEXED, len(reading.read.pieces))


def fail_document(
    tenant_id: UUID, document_id: UUID, message: str, *, actor: str = ACTOR, checksum: str | None = None
) -> FileResult:
    """Mark a document as failed; chunks of the previous file stay.

    Args:
        checksum: Checksum of the failed file; if another file was uploaded since, nothing is recorded.
    """
    with tenant_scope(tenant_id, actor=actor):
        document = Document.objects.select_for_update().filter(pk=document_id).first()
        if document is None or checksum not in (None, document.checksum):
            return FileResult("", GONE)
        if document.status == DocumentStatus.INDEXED and is_current(document, document.collection):
            # Another worker has indexed the same file.
            return FileResult(document.source, UNCHANGED)
        if document.chunk_count:
            message = f"{message} (the previously indexed content is still available)"
        document.status, document.progress, document.error_message = DocumentStatus.FAILED, 0, message
        document.save()
        return FileResult(document.source, FAILED, error=message)


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

    def run(self, files: list[tuple[Path, str]]) -> Iterator[FileResult]:
        """Index the files one by one, skipping unchanged ones.

        Raises:
            EmbeddingError: If the embedder is unavailable; files already yielded stay indexed.
        """
        get_embedder(self.collection.embedding_model)
        for file, source in files:
            yield self._file(file, source)

    def _file(self, file: Path, source: str) -> FileResult:
        try:
            if file.stat().st_size > settings.UPLOAD_MAX_BYTES:
                raise FileTooLarge(settings.UPLOAD_MAX_BYTES)
            with file.open("rb") as stream:
                if self._is_there(source, checksum_of(stream)):
                    return FileResult(source, UNCHANGED)
                stream.seek(0)
                kept = keep_file(pieces_of(stream), tenant_id=self.tenant_id, name=file.name)
        except (OSError, FileTooLarge) as error:
            reason = f"cannot be read ({error.strerror})" if isinstance(error, OSError) else str(error)
            return self._unreadable(source, f"{file.name}: {reason}")
        document_id, done = self._bring(kept, source)
        if done or self.queue:
            return FileResult(source, UNCHANGED if done else QUEUED)
        return index_document(self.tenant_id, document_id, actor=self.actor)

    def _is_there(self, source: str, checksum: str) -> bool:
        with tenant_scope(self.tenant_id, user=self.user_id, actor=self.actor):
            found = Document.objects.filter(
                collection_id=self.collection.pk,
                source=source,
                checksum=checksum,
                status=DocumentStatus.INDEXED,
            )
            document = found.first()
            return document is not None and is_current(document, self.collection)

    def _bring(self, kept: KeptFile, source: str) -> tuple[UUID, bool]:
        with tenant_scope(self.tenant_id, user=self.user_id, actor=self.actor):
            brought = bring_file(
                self.collection, kept, source=source, origin=DocumentOrigin.FOLDER, defer=self.queue
            )
            # Index a pending document here: the run that uploaded it may have been killed.
            done = brought.outcome == UNCHANGED and brought.document.status == DocumentStatus.INDEXED
            return brought.document.pk, done or (self.queue and brought.outcome == UNCHANGED)

    def _unreadable(self, source: str, message: str) -> FileResult:
        with tenant_scope(self.tenant_id, user=self.user_id, actor=self.actor):
            kept = KeptFile("", 0, "")
            brought = bring_file(
                self.collection, kept, source=source, origin=DocumentOrigin.FOLDER, defer=False
            )
        return fail_document(self.tenant_id, brought.document.pk, message, actor=self.actor)
