"""Documents on their way in: the row and the job that reads it, in one transaction."""

from dataclasses import dataclass
from pathlib import PurePath
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from procrastinate.contrib.django import app

from config.net.fetch import FetchError, check_url
from knowledge.choices import CollectionStatus, DocumentOrigin, DocumentStatus
from knowledge.models import Chunk, Collection, Document
from knowledge.parsing import SUPPORTED, ParseError
from knowledge.parsing.document import clean
from knowledge.parsing.formats import reader_for
from knowledge.services.chunks import GIVEN_TITLE
from knowledge.services.files import KeptFile, forget_file
from tenants.scoping import require_scope, require_tenant_id

JOB = "knowledge.tasks.index_document"
MADE, REPLACED, UNCHANGED = "made", "replaced", "unchanged"
AT_WORK = (DocumentStatus.PENDING, DocumentStatus.PROCESSING)


@dataclass(frozen=True, slots=True)
class Brought:
    """What became of a file that was brought: `made`, `replaced` or `unchanged`; its document."""

    document: Document
    outcome: str


def check_name(name: str) -> str:
    """The name of a file as it may be stored.

    Raises:
        ValidationError: on `file`, without a name, or when files of that type are not supported.
    """
    name = " ".join(clean(name).split())[-500:]
    path = PurePath(name)
    inner = path.with_suffix("") if path.suffix.lower() == ".gz" and path.stem else path
    try:
        if not path.name:
            raise ParseError("A file needs a name.")
        reader_for(inner)
    except ParseError as error:
        supported = ", ".join(sorted(SUPPORTED))
        raise ValidationError(
            {"file": ValidationError(f"{error}; supported are {supported}", code="file_type")}
        ) from None
    return name


def is_current(document: Document, collection: Collection) -> bool:
    """Whether the chunks are those of the file that was brought last, by the collection's model."""
    if not document.indexed_checksum or document.indexed_checksum != document.checksum:
        return False
    chunks = Chunk.objects.filter(document_id=document.pk)
    return not chunks.exclude(embedding_model=collection.embedding_model).exists()


@transaction.atomic
def bring_file(
    collection: Collection,
    kept: KeptFile,
    *,
    source: str,
    origin: str = DocumentOrigin.UPLOAD,
    title: str = "",
    defer: bool = True,
) -> Brought:
    """The document of `source` with this stored file, to be read by a job; the same file again changes nothing.

    Args:
        source: what the document is called in its collection; the one that is called so already is replaced.
        title: given by a person, it wins over the file's own.
        defer: leave the reading to a job.

    Raises:
        ValidationError: for an archived collection.
    """
    _refuse_archived(collection)
    document, made = _locked(collection, source, origin)
    same = not made and document.checksum == kept.checksum and document.status != DocumentStatus.FAILED
    # Whoever reads it here and now reads the file just kept: the one that waits may be of a process that died.
    if same and ((defer and document.status in AT_WORK) or is_current(document, collection)):
        forget_file(kept.path)
        return Brought(document, UNCHANGED)
    forget_file(document.storage_path)
    document.storage_path, document.file_size, document.checksum = kept.path, kept.size, kept.checksum
    _await_reading(document, origin, title)
    if defer:
        defer_reading(document)
    return Brought(document, MADE if made else REPLACED)


@transaction.atomic
def bring_url(collection: Collection, url: str, *, title: str = "") -> Brought:
    """The document of a page, to be fetched and read by a job; a page that is there is fetched anew.

    Raises:
        ValidationError: for a URL that may not be fetched, and for an archived collection.
    """
    _refuse_archived(collection)
    try:
        url = check_url(url)
    except FetchError as error:
        raise ValidationError({"url": ValidationError(str(error), code="url")}) from None
    document, made = _locked(collection, url, DocumentOrigin.URL)
    if not made and document.status in AT_WORK:
        return Brought(document, UNCHANGED)
    _await_reading(document, DocumentOrigin.URL, title)
    defer_reading(document)
    return Brought(document, MADE if made else REPLACED)


@transaction.atomic
def reread_document(document: Document) -> Document:
    """Have a document's file read again: after a failure, or with the collection's new chunk size.

    Raises:
        ValidationError: when its file was not kept.
    """
    document = Document.objects.select_for_update().get(pk=document.pk)
    if not document.storage_path and document.origin != DocumentOrigin.URL:
        raise ValidationError("Its file was not kept; bring it again.", code="no_file")
    if document.status in AT_WORK:
        return document
    document.indexed_checksum = ""
    document.status, document.progress, document.error_message = DocumentStatus.PENDING, 0, ""
    document.save()
    defer_reading(document)
    return document


def delete_document(document: Document) -> None:
    """Delete a document, its chunks and its file."""
    forget_file(document.storage_path)
    document.delete()


def defer_reading(document: Document) -> None:
    """The job that reads `document`, in the current transaction."""
    job = app.configure_task(JOB)
    job.defer(tenant_id=str(document.tenant_id), document_id=str(document.pk))


def _refuse_archived(collection: Collection) -> None:
    # Read anew: a folder may take hours, and its instance is of the beginning.
    status = Collection.objects.filter(pk=collection.pk).values_list("status", flat=True).first()
    if status is None:
        raise ValidationError("The collection is gone.", code="gone")
    if status == CollectionStatus.ARCHIVED:
        raise ValidationError("The collection is archived; restore it first.", code="archived")


def _locked(collection: Collection, source: str, origin: str) -> tuple[Document, bool]:
    name = source.rstrip("/").rsplit("/", 1)[-1][:500]
    defaults: dict[str, Any] = {"filename": name, "origin": origin, "status": DocumentStatus.PENDING}
    return Document.objects.select_for_update().get_or_create(
        tenant_id=require_tenant_id(), collection_id=collection.pk, source=source[:1024], defaults=defaults
    )


def _await_reading(document: Document, origin: str, title: str) -> None:
    user_id: UUID | None = require_scope().user_id
    if title:
        document.metadata = {**document.metadata, GIVEN_TITLE: title[:500]}
    document.origin = origin
    document.status, document.progress, document.error_message = DocumentStatus.PENDING, 0, ""
    document.uploaded_by_id, document.uploaded_at = user_id, timezone.now()
    document.save()
