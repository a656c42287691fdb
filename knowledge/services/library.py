"""Files of OpenAI's client: documents of one collection, which other collections receive as copies."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Q, QuerySet

from config.tenancy.scope import require_tenant_id
from knowledge.models import Collection, Document
from knowledge.services.chunks import ATTRIBUTES, FILE_ID, PROTECTED_KEYS, PURPOSE
from knowledge.services.collections import get_or_create_collection
from knowledge.services.documents import delete_document, upload_document
from knowledge.services.files import StoredFile, iter_bytes, store_file

LIBRARY_SLUG = "uploaded-files"


@transaction.atomic
def add_file(kept: StoredFile, *, name: str, purpose: str) -> Document:
    """Create the document of an uploaded file. Each upload is a new file, also with the same name."""
    library, _ = get_or_create_collection(LIBRARY_SLUG)
    # The random part of the stored path makes the source unique.
    folder = kept.path.rsplit("/", 1)[-1].partition(".")[0]
    document = upload_document(library, kept, source=f"{folder}/{name}"[:1024]).document
    document.metadata = {**document.metadata, PURPOSE: purpose}
    document.save(update_fields=["metadata", "updated_at"])
    return document


def list_files() -> QuerySet[Document]:
    """Return the documents with a stored file, without copies."""
    return Document.objects.exclude(storage_path="").exclude(metadata__has_key=FILE_ID)


def list_collection_files(collection: Collection) -> QuerySet[Document]:
    """Return the documents of the collection."""
    return Document.objects.filter(collection_id=collection.pk)


def find_collection_file(collection: Collection, file_id: UUID) -> Document | None:
    """Return the collection's document that is the file or a copy of it."""
    same = Q(pk=file_id) | Q(metadata__contains={FILE_ID: str(file_id)})
    return list_collection_files(collection).filter(same).first()


def keep_file_keys(metadata: dict[str, Any], current: dict[str, Any]) -> dict[str, Any]:
    """Return `metadata` with the protected keys of `current`, which clients cannot change."""
    given = {name: value for name, value in metadata.items() if name not in PROTECTED_KEYS}
    return given | {name: current[name] for name in PROTECTED_KEYS if name in current}


def get_file_id(document: Document) -> UUID:
    """Return the id of the file that the document is, or is a copy of."""
    return UUID(document.metadata.get(FILE_ID) or str(document.pk))


def map_file_ids(document_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """Return the ids of files by the ids of their documents."""
    rows = Document.objects.filter(pk__in=document_ids).only("metadata")
    return {row.pk: get_file_id(row) for row in rows}


def copy_stored_file(document: Document) -> StoredFile:
    """Copy the document's file in the storage. Call it outside transactions: the storage may be remote.

    Raises:
        FileNotFoundError: If the storage does not have the file.
    """
    with default_storage.open(document.storage_path, "rb") as stored:
        return store_file(iter_bytes(stored), tenant_id=document.tenant_id, name=document.filename)


@transaction.atomic
def attach_file(
    collection: Collection, file: Document, kept: StoredFile, *, attributes: dict[str, Any]
) -> Document:
    """Create the collection's copy of a file, and queue its indexing."""
    # The file's id makes the source unique: other files of this name stay in the collection.
    copy = upload_document(collection, kept, source=f"{file.pk}/{file.filename}"[:1024]).document
    copy.metadata = {**copy.metadata, FILE_ID: str(file.pk), ATTRIBUTES: attributes}
    copy.save(update_fields=["metadata", "updated_at"])
    return copy


@transaction.atomic
def remove_file(file: Document) -> None:
    """Delete a file and its copies in all collections."""
    for copy in Document.objects.filter(
        tenant_id=require_tenant_id(), metadata__contains={FILE_ID: str(file.pk)}
    ):
        delete_document(copy)
    delete_document(file)
