"""Indexing of documents: parse, chunk, enrich, embed, store.

Parsing, chunking and keyword extraction run in a subprocess with resource limits, since a file can make them expensive.
No transaction is open while a file is fetched, parsed or embedded. The chunks of a document are replaced in one
transaction, so an interrupted run leaves only complete documents and searches see either the old or the new chunks.
"""

import tempfile
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar
from uuid import UUID

from asgiref.sync import async_to_sync
from django.conf import settings

from config.http.fetch import FetchedPage, FetchError, fetch_page
from config.tenancy.scope import tenant_scope
from knowledge.choices import DocumentOrigin, DocumentStatus
from knowledge.embedders import EmbeddingError, get_embedder
from knowledge.model_enrichment import enrich_chunks, is_model_enrichment_enabled
from knowledge.models import Collection, Document
from knowledge.parsing import ParsedDocument, ParseError, ParseOptions, get_media_suffix, get_suffix
from knowledge.parsing.sandbox import ChunkedDocument, ParserPool
from knowledge.services.chunks import IndexingResult, SupersededError, replace_chunks
from knowledge.services.documents import UNCHANGED
from knowledge.services.embedding import iter_vectors
from knowledge.services.files import (
    MAX_SPOOLED,
    FileTooLargeError,
    delete_file,
    iter_bytes,
    open_local_file,
    store_file,
)

T = TypeVar("T")
INDEXED, FAILED, DELETED, QUEUED = "indexed", "failed", "gone", "queued"
ACTOR = "system:ingest"
COMMENTS_SETTING = "comments"
PROGRESS_SECONDS = 2.0
PARSED_PERCENT, EMBEDDED_PERCENT = 20, 90
MAX_CHUNKS = 30_000
MODEL_CHANGES = 5
# Scale the time limit with the size, so that many malicious small files cannot block a worker for hours.
SECONDS, SECONDS_PER_MB = 20, 10
FETCH_SECONDS, FETCH_STEP_SECONDS = 60, 10
FETCH_HEADERS = {"User-Agent": "Conclave/1 (document reader)"}
_parser_pool = ParserPool(max(1, settings.PARSE_PROCESSES))


@dataclass(frozen=True, slots=True)
class IngestionResult:
    """Result of one file: `indexed`, `unchanged`, `queued`, `gone` or `failed` with an error."""

    source: str
    outcome: str
    chunks: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class IndexingTask:
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


def index_document(tenant_id: UUID, document_id: UUID, *, actor: str = ACTOR) -> IngestionResult:
    """Index a document: parse it and store its chunks. Call it outside any scope.

    An unreadable file is a result, not an exception: the document stores the error and keeps the chunks of the
    previous file.

    Raises:
        EmbeddingError: If the embedder fails; the document stays `processing`.
        OSError: If the storage is unavailable.
    """
    task = start_indexing(tenant_id, document_id, actor)
    if isinstance(task, IndexingTask) and task.origin == DocumentOrigin.URL:
        checksum = task.checksum
        try:
            task = _fetch_page(task)
        except (FetchError, FileTooLargeError) as error:
            return fail_document(tenant_id, document_id, str(error), actor=actor, checksum=checksum)
    return task if isinstance(task, IngestionResult) else finish_indexing(task, partial(chunk_file, task))


def finish_indexing(task: IndexingTask, read: Callable[[], ChunkedDocument]) -> IngestionResult:
    """Embed and store the chunks that `read` returns, or the ParseError that it raises."""
    try:
        return _embed_and_store(task, _enrich_chunks(task, read()))
    except ParseError as error:
        return fail_document(
            task.tenant_id, task.document_id, str(error), actor=task.actor, checksum=task.checksum
        )


def start_indexing(tenant_id: UUID, document_id: UUID, actor: str) -> IndexingTask | IngestionResult:
    """Mark the document as processing, and return the task or the reason why there is nothing to do."""
    with tenant_scope(tenant_id, actor=actor):
        document = Document.objects.select_for_update(of=("self",)).filter(pk=document_id).first()
        if document is None:
            return IngestionResult("", DELETED)
        collection = document.collection
        if document.status == DocumentStatus.INDEXED and document.is_current(collection):
            return IngestionResult(document.source, UNCHANGED)
        document.status, document.progress, document.error_message = DocumentStatus.PROCESSING, 0, ""
        document.save(update_fields=["status", "progress", "error_message", "updated_at"])
        return IndexingTask(
            tenant_id, document_id, collection, actor, document.source, document.origin,
            document.storage_path, document.file_size, document.checksum,
        )  # fmt: skip


def _fetch_page(task: IndexingTask) -> IndexingTask | IngestionResult:
    """Fetch and store the page; return the updated task, or a result if it is unchanged.

    The media type determines the format; the suffix of the URL is the fallback.
    """
    with tempfile.SpooledTemporaryFile(MAX_SPOOLED) as spool:
        page = async_to_sync(_download_page)(task.source, spool)
        spool.seek(0)
        path = page.url.partition("?")[0].partition("#")[0].rstrip("/")
        suffix = (
            get_media_suffix(page.media_type)
            or (get_suffix(Path(path)) if path.count("/") > 2 else "")
            or ".html"
        )
        stored = store_file(iter_bytes(spool), tenant_id=task.tenant_id, name=f"page{suffix}")
    with task.scope():
        document = Document.objects.select_for_update(of=("self",)).filter(pk=task.document_id).first()
        if document is None:
            delete_file(stored.path)
            return IngestionResult(task.source, DELETED)
        delete_file(document.storage_path)
        document.storage_path, document.file_size, document.checksum = (
            stored.path,
            stored.size,
            stored.checksum,
        )
        unchanged = document.is_current(document.collection)
        if unchanged:
            document.status, document.progress = DocumentStatus.INDEXED, 100
        document.save()
    if unchanged:
        return IngestionResult(task.source, UNCHANGED)
    return replace(task, path=stored.path, size=stored.size, checksum=stored.checksum)


async def _download_page(url: str, target: IO[bytes]) -> FetchedPage:
    """Write the page to `target`; a status other than 200 is an error."""
    async with fetch_page(
        url,
        max_bytes=settings.UPLOAD_MAX_BYTES,
        seconds=FETCH_SECONDS,
        step_seconds=FETCH_STEP_SECONDS,
        headers=FETCH_HEADERS,
        encodings={"gzip", "identity"},
    ) as page:
        if page.status != 200:
            raise FetchError(f"The server responded with status {page.status}.")
        async for piece in page.chunks:
            target.write(piece)
    return page


def parse_stored(path: str, name: str, size: int, *, seconds: int) -> ParsedDocument:
    """Parse a stored file in a sandboxed process, waiting for a free process.

    Args:
        name: File name; its suffix determines the format.
        seconds: Maximum CPU time.

    Raises:
        ParseError: If it cannot be parsed within the limits.
        FileNotFoundError: If the storage does not have the file.
    """
    with open_local_file(path) as stream:
        return _parser_pool.parse(
            stream,
            name,
            megabytes=settings.PARSE_MEMORY_MB,
            seconds=_compute_time_limit(size, seconds),
            options=ParseOptions(ocr_seconds=min(settings.OCR_SECONDS, seconds)),
        )


def parse_bytes(data: bytes, name: str, *, seconds: int) -> ParsedDocument:
    """Parse a file that is not stored. Slow; call it outside any scope.

    Raises:
        ParseError: If the content does not match the name, or cannot be read within the limits.
    """
    with tempfile.TemporaryFile() as stream:
        stream.write(data)
        stream.seek(0)
        return _parser_pool.parse(
            stream, name, megabytes=settings.PARSE_MEMORY_MB, seconds=_compute_time_limit(len(data), seconds)
        )


def _compute_time_limit(size: int, most: int) -> int:
    return min(most, SECONDS + SECONDS_PER_MB * size // 1024**2)


def _build_options(collection: Collection) -> ParseOptions:
    """Return the options for files of a collection; its setting `comments` is true unless it is false."""
    return ParseOptions(
        language=collection.language,
        has_comments=collection.settings.get(COMMENTS_SETTING) is not False,
        ocr_seconds=settings.OCR_SECONDS,
    )


def chunk_file(task: IndexingTask) -> ChunkedDocument:
    """Parse and chunk the task's file. Uses no database connection, so any thread may call it.

    Raises:
        ParseError: If the file cannot be read within the limits.
    """
    # The stored name of a page has the suffix of its media type, which is more reliable than the URL.
    name = task.source
    if task.origin == DocumentOrigin.URL:
        name = f"{task.source.rstrip('/').rsplit('/', 1)[-1] or 'page'}{get_suffix(Path(task.path))}"
    elif task.origin == DocumentOrigin.CONNECTOR and get_suffix(Path(name)) != get_suffix(Path(task.path)):
        name = f"{name.rstrip('/')}{get_suffix(Path(task.path))}"
    try:
        with open_local_file(task.path) as stream:
            return _parser_pool.cut(
                stream,
                name,
                size=task.collection.chunk_size,
                overlap=task.collection.chunk_overlap,
                most=MAX_CHUNKS,
                language=task.collection.language,
                options=_build_options(task.collection),
                megabytes=settings.PARSE_MEMORY_MB,
                seconds=_compute_time_limit(task.size, settings.PARSE_SECONDS),
            )
    except FileNotFoundError as error:
        raise ParseError(f"{task.source}: the stored file is missing; upload it again") from error


def _enrich_chunks(task: IndexingTask, read: ChunkedDocument) -> ChunkedDocument:
    """Enrich the chunks with a model if the collection enables it, reporting progress."""
    if not is_model_enrichment_enabled(task.collection.settings):
        return read
    texts = [piece.text for piece in read.pieces]
    enriched = enrich_chunks(texts, read.insights)
    insights = list(_with_progress(task, enriched, len(texts), 0, PARSED_PERCENT))
    return replace(read, insights=insights)


def _with_progress(task: IndexingTask, items: Iterator[T], total: int, start: int, end: int) -> Iterator[T]:
    """Yield the items, reporting progress between the percentages `start` and `end`."""
    reported = time.monotonic()
    for number, item in enumerate(items, 1):
        yield item
        if time.monotonic() - reported > PROGRESS_SECONDS:
            reported = time.monotonic()
            _report_progress(task, start + (end - start) * number // total)


def _report_progress(task: IndexingTask, progress: int) -> None:
    with task.scope():
        # Another worker may have finished first, or another file may have been uploaded.
        waiting = Document.objects.filter(pk=task.document_id, status=DocumentStatus.PROCESSING)
        waiting.update(progress=progress)


def _embed_and_store(task: IndexingTask, read: ChunkedDocument) -> IngestionResult:
    texts = [f"{read.title} {piece.context}\n{piece.text}" for piece in read.pieces]
    model = task.collection.embedding_model
    for _ in range(MODEL_CHANGES):
        reading = IndexingResult(task.checksum, read, _embed_texts(task, model, texts), model)
        try:
            return _store_result(task, reading)
        except SupersededError as changed:
            model = str(changed)
    raise EmbeddingError("the collection's embedding model keeps changing; try again later")


def _embed_texts(task: IndexingTask, model: str, texts: list[str]) -> "list[array[float]]":
    """Embed `texts`, reporting progress."""
    vectors = iter_vectors(get_embedder(model), texts)
    return list(_with_progress(task, vectors, len(texts), PARSED_PERCENT, EMBEDDED_PERCENT))


def _store_result(task: IndexingTask, reading: IndexingResult) -> IngestionResult:
    with task.scope():
        document = Document.objects.select_for_update(of=("self",)).filter(pk=task.document_id).first()
        if document is None:
            return IngestionResult(task.source, DELETED)
        if document.checksum != reading.checksum:
            # Another file was uploaded in the meantime; its job indexes it.
            return IngestionResult(task.source, UNCHANGED)
        if document.status == DocumentStatus.INDEXED and document.is_current(document.collection):
            return IngestionResult(task.source, UNCHANGED)
        replace_chunks(document, reading)
    return IngestionResult(task.source, INDEXED, len(reading.read.pieces))


def fail_document(
    tenant_id: UUID, document_id: UUID, message: str, *, actor: str = ACTOR, checksum: str | None = None
) -> IngestionResult:
    """Mark a document as failed; chunks of the previous file stay.

    Args:
        checksum: Checksum of the failed file; if another file was uploaded since, nothing is recorded.
    """
    with tenant_scope(tenant_id, actor=actor):
        document = Document.objects.select_for_update().filter(pk=document_id).first()
        if document is None or checksum not in (None, document.checksum):
            return IngestionResult("", DELETED)
        if document.status == DocumentStatus.INDEXED and document.is_current(document.collection):
            # Another worker has indexed the same file.
            return IngestionResult(document.source, UNCHANGED)
        if document.chunk_count:
            message = f"{message} (the previously indexed content is still available)"
        document.status, document.progress, document.error_message = DocumentStatus.FAILED, 0, message
        document.save()
        return IngestionResult(document.source, FAILED, error=message)
