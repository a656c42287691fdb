"""Upload of documents: the row and its indexing job, in one transaction."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from procrastinate.contrib.django import app

from config.http.fetch import FetchError, check_url
from config.tenancy.scope import require_scope, require_tenant_id
from knowledge.choices import CollectionStatus, DocumentOrigin, DocumentStatus
from knowledge.models import Collection, Document
from knowledge.services.chunks import GIVEN_TITLE
from knowledge.services.files import StoredFile, delete_file

JOB = "knowledge.tasks.index_document"
CREATED, REPLACED, UNCHANGED = "made", "replaced", "unchanged"
ACTIVE_STATUSES = (DocumentStatus.PENDING, DocumentStatus.PROCESSING)


class SourceTakenError(Exception):
    """A user or another connector added the document that a connector would replace."""

    def __init__(self) -> None:
        super().__init__("The collection already has a document with this source.")


@dataclass(frozen=True, slots=True)
class ConnectorItem:
    """The connector that uploads a file, and the version at its source."""

    connector_id: UUID
    version: str


@dataclass(frozen=True, slots=True)
class UploadResult:
    """An uploaded document and the outcome: `made`, `replaced` or `unchanged`."""

    document: Document
    outcome: str


@transaction.atomic
def upload_document(
    collection: Collection,
    kept: StoredFile,
    *,
    source: str,
    origin: str = DocumentOrigin.UPLOAD,
    title: str = "",
    defer: bool = True,
    item: ConnectorItem | None = None,
) -> UploadResult:
    """Create or replace the document of `source` with a stored file and queue its indexing.

    Uploading the same file again changes nothing. An upload by a user takes over a connector's document.

    Args:
        source: Identifier in the collection; a document with the same source is replaced.
        title: Title given by a user; overrides the title in the file.
        defer: Whether to queue a job that indexes the file.
        item: Item of the connector that uploads the file, if any.

    Raises:
        SourceTakenError: If a connector uploads the file and the document is not the connector's.
        ValidationError: If the collection is archived.
    """
    _check_not_archived(collection)
    document, created = _lock_or_create(collection, source, origin)
    if item is not None and not created:
        _check_owner(document, item)
    if not created and _has_file(document, collection, kept, defer=defer):
        delete_file(kept.path)
        if item is not None:
            _assign_item(document, item)
            document.save(update_fields=["connector", "source_version", "updated_at"])
        return UploadResult(document, UNCHANGED)
    delete_file(document.storage_path)
    document.storage_path, document.file_size, document.checksum = kept.path, kept.size, kept.checksum
    _mark_pending(document, origin, title, item)
    if defer:
        defer_indexing(document)
    return UploadResult(document, CREATED if created else REPLACED)


@transaction.atomic
def submit_url(collection: Collection, url: str, *, title: str = "") -> UploadResult:
    """Create or refresh the document of a web page and queue its fetching.

    Raises:
        ValidationError: If the URL is not allowed or the collection is archived.
    """
    _check_not_archived(collection)
    try:
        check_url(url)
    except FetchError as error:
        raise ValidationError({"url": ValidationError(str(error), code="url")}) from None
    document, created = _lock_or_create(collection, url, DocumentOrigin.URL)
    if not created and document.status in ACTIVE_STATUSES:
        return UploadResult(document, UNCHANGED)
    _mark_pending(document, DocumentOrigin.URL, title)
    defer_indexing(document)
    return UploadResult(document, CREATED if created else REPLACED)


@transaction.atomic
def reindex_document(document: Document) -> Document:
    """Queue the reindexing of a document.

    Raises:
        ValidationError: If the file is not stored.
    """
    document = Document.objects.select_for_update().get(pk=document.pk)
    if not document.storage_path and document.origin != DocumentOrigin.URL:
        raise ValidationError("The file is not stored. Upload it again.", code="no_file")
    if document.status in ACTIVE_STATUSES:
        return document
    document.indexed_checksum = ""
    document.status, document.progress, document.error_message = DocumentStatus.PENDING, 0, ""
    document.save()
    defer_indexing(document)
    return document


def delete_document(document: Document) -> None:
    """Delete a document, its chunks and its file."""
    delete_file(document.storage_path)
    document.delete()


def defer_indexing(document: Document) -> None:
    """Queue the indexing job of `document` in the current transaction."""
    job = app.configure_task(JOB)
    job.defer(tenant_id=str(document.tenant_id), document_id=str(document.pk))


def _check_not_archived(collection: Collection) -> None:
    # Query the status: ingesting a folder may take hours, so the instance may be stale.
    status = Collection.objects.filter(pk=collection.pk).values_list("status", flat=True).first()
    if status is None:
        raise ValidationError("The collection has been deleted.", code="gone")
    if status == CollectionStatus.ARCHIVED:
        raise ValidationError("The collection is archived. Restore it first.", code="archived")


def _lock_or_create(collection: Collection, source: str, origin: str) -> tuple[Document, bool]:
    name = source.rstrip("/").rsplit("/", 1)[-1][:500]
    defaults: dict[str, Any] = {"filename": name, "origin": origin, "status": DocumentStatus.PENDING}
    return Document.objects.select_for_update().get_or_create(
        tenant_id=require_tenant_id(), collection_id=collection.pk, source=source[:1024], defaults=defaults
    )


def _has_file(document: Document, collection: Collection, kept: StoredFile, *, defer: bool) -> bool:
    """Return whether the document has this file and is indexed, or will be."""
    if document.checksum != kept.checksum or document.status == DocumentStatus.FAILED:
        return False
    # Without `defer`, the caller indexes a pending document itself: the process that uploaded it may have died.
    return (defer and document.status in ACTIVE_STATUSES) or document.is_current(collection)


def _check_owner(document: Document, item: ConnectorItem) -> None:
    # A connector can adopt the documents of a deleted one.
    is_orphan = document.connector_id is None and document.origin == DocumentOrigin.CONNECTOR
    if document.connector_id != item.connector_id and not is_orphan:
        raise SourceTakenError


def _assign_item(document: Document, item: ConnectorItem | None) -> None:
    document.connector_id = item.connector_id if item else None
    document.source_version = item.version if item else ""


def _mark_pending(document: Document, origin: str, title: str, item: ConnectorItem | None = None) -> None:
    user_id: UUID | None = require_scope().user_id
    _assign_item(document, item)
    if title:
        document.metadata = {**document.metadata, GIVEN_TITLE: title[:500]}
    document.origin = origin
    document.status, document.progress, document.error_message = DocumentStatus.PENDING, 0, ""
    document.uploaded_by_id, document.uploaded_at = user_id, timezone.now()
    document.save()
