"""Reading documents: parse, cut, find out what chunks are about, embed, store.

What a file may make expensive, all up to its chunks and what they are about, is done by a bounded process. No
transaction is open while a file is fetched, parsed or embedded. The chunks of a document change in one, so a killed
run leaves whole documents only, and a search sees the old chunks or the new ones.
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
# A small file gets little time, so that many that are made to hurt do not keep a worker for hours.
SECONDS, SECONDS_PER_MB = 20, 10
_readers = Readers(max(1, settings.PARSE_PROCESSES))


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one file: `indexed`, `unchanged`, `gone` or `failed` (with its error)."""

    source: str
    outcome: str
    chunks: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """A document as its reader sees it, copied while its row was locked."""

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
        """A short transaction of the document's tenant."""
        return tenant_scope(self.tenant_id, actor=self.actor)


def index_document(tenant_id: UUID, document_id: UUID, *, actor: str = ACTOR) -> FileResult:
    """Read a document that was brought, and store its chunks. Call it outside any scope.

    A file that cannot be read is an outcome, not an exception: the error stands on the document, and the chunks
    of the file before it stay.

    Raises:
        EmbeddingError: when vectors cannot be made now; the document stays `processing`.
        OSError: when the storage does not answer.
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
    """The task with the page's file, or that it is the one which was read before.

    The media type names its format where the URL does not.
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
    """The text of a file in the storage, read within bounds; waits while as many others are read as may be.

    Args:
        name: decides the format.
        seconds: processor time that it may take.

    Raises:
        ParseError: when it cannot be read within them.
        FileNotFoundError: when the storage has lost it.
    """
    with local_file(path) as stream:
        return _readers.parse(
            stream, name, megabytes=settings.PARSE_MEMORY_MB, seconds=_seconds(size, seconds)
        )


def _seconds(size: int, most: int) -> int:
    return min(most, SECONDS + SECONDS_PER_MB * size // 1024**2)


def _cut(task: Task) -> CutDocument:
    """The chunks of a task's file."""
    # A page's URL says little of its format; its stored name ends as its media type does.
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
        raise ParseError(f"{task.source}: its file is lost; bring it again") from error


def _enriched(task: Task, read: CutDocument) -> CutDocument:
    """What chunks are about, by a model where the collection asks for it; says every few seconds how far it is."""
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
        # Another reader of the same file may have been faster, or another file brought.
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
    raise EmbeddingError("the collection's model changes again and again")


def _vectors(task: Task, model: str, texts: list[str]) -> "list[array[float]]":
    """The vectors of `texts`; says every few seconds how far it is."""
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
            # Another file was brought meanwhile; its own job reads it.
            return FileResult(task.source, UNCHANGED)
        if document.status == DocumentStatus.INDEXED and is_current(document, document.collection):
            return FileResult(task.source, UNCHANGED)
        replace_chunks(document, reading)
    return FileResult(task.source, INDEXED, len(reading.read.pieces))


def fail_document(
    tenant_id: UUID, document_id: UUID, message: str, *, actor: str = ACTOR, checksum: str | None = None
) -> FileResult:
    """Record why a document could not be read; chunks of the file before it stay.

    Args:
        checksum: the file that could not be read; when another was brought meanwhile, nothing is recorded.
    """
    with tenant_scope(tenant_id, actor=actor):
        document = Document.objects.select_for_update().filter(pk=document_id).first()
        if document is None or checksum not in (None, document.checksum):
            return FileResult("", GONE)
        if document.status == DocumentStatus.INDEXED and is_current(document, document.collection):
            # Another reader of the same file was there first.
            return FileResult(document.source, UNCHANGED)
        if document.chunk_count:
            message = f"{message} (what was read before it stays)"
        document.status, document.progress, document.error_message = DocumentStatus.FAILED, 0, message
        document.save()
        return FileResult(document.source, FAILED, error=message)


@dataclass(frozen=True, slots=True)
class Ingestion:
    """Files of a folder on their way into a collection. Opens its own scopes: call it outside any.

    Args:
        tenant_id: whose collection it is.
        collection: an instance of that tenant.
        actor: who brings the files, for the audit log.
        user_id: the person among them, if one.
        queue: leave the reading to jobs instead of doing it here.
    """

    tenant_id: UUID
    collection: Collection
    actor: str
    user_id: UUID | None = None
    queue: bool = False

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
            # One that waits for its reading is read here: the run that brought it may have been killed.
            done = brought.outcome == UNCHANGED and brought.document.status == DocumentStatus.INDEXED
            return brought.document.pk, done or (self.queue and brought.outcome == UNCHANGED)

    def _unreadable(self, source: str, message: str) -> FileResult:
        with tenant_scope(self.tenant_id, user=self.user_id, actor=self.actor):
            kept = KeptFile("", 0, "")
            brought = bring_file(
                self.collection, kept, source=source, origin=DocumentOrigin.FOLDER, defer=False
            )
        return fail_document(self.tenant_id, brought.document.pk, message, actor=self.actor)
