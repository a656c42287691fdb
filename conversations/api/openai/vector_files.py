"""Files of vector stores in OpenAI's format: documents of a collection."""

import contextlib
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse

from config.api.views import json_response
from conversations.api.compat import CompatView
from conversations.api.parameters import VECTOR_FILE
from conversations.api.wire_models import WireModel, validate_schema
from knowledge.choices import DocumentStatus
from knowledge.models import Collection, Document
from knowledge.services.documents import delete_document
from knowledge.services.files import StoredFile, delete_file
from knowledge.services.library import (
    ATTRIBUTES,
    attach_file,
    copy_stored_file,
    find_collection_file,
    get_file_id,
    list_collection_files,
)

from .errors import ObjectNotFoundError, error_body
from .files import FILE, get_file
from .pages import parse_limit, render_page
from .vectors import STORE, get_collection, get_file_status


class AttachRequest(WireModel):
    table = VECTOR_FILE

    file_id: str
    attributes: dict[str, str | float | bool] | None = None


def get_store_file(collection: Collection, name: str) -> Document:
    """Return the collection's document of the file.

    Raises:
        ObjectNotFoundError: the vector store does not have the file.
    """
    with contextlib.suppress(ValueError):
        if found := find_collection_file(collection, UUID(name.removeprefix(FILE))):
            return found
    raise ObjectNotFoundError(f"No file found with id '{name}' in vector store.", parameter="file_id")


def _render_store_file(row: Document) -> dict[str, Any]:
    failed = row.status == DocumentStatus.FAILED
    return {
        "id": f"{FILE}{get_file_id(row).hex}",
        "object": "vector_store.file",
        "created_at": int(row.created_at.timestamp()),
        "vector_store_id": f"{STORE}{row.collection_id.hex}",
        "status": get_file_status(row.status),
        "usage_bytes": row.file_size,
        "last_error": {"code": "invalid_file", "message": row.error_message} if failed else None,
        "attributes": row.metadata.get(ATTRIBUTES) or {},
        "chunking_strategy": {"type": "other"},
    }


class StoreFilesView(CompatView):
    """The files of a vector store."""

    dialect = staticmethod(error_body)
    resource = "collections"
    extra_parameters = ("limit", "order", "after", "before", "filter")

    def get(self, request: Any, name: str) -> HttpResponse:
        """List the files, newest first unless `order` is `asc`."""
        limit = parse_limit(request.GET)
        with self.scoped(read_only=True):
            page = list(self._list_rows(get_collection(name))[: limit + 1])
        data = [_render_store_file(row) for row in page[:limit]]
        return json_response(render_page(data, has_more=len(page) > limit))

    def _list_rows(self, collection: Collection) -> QuerySet[Document]:
        parameters = self.request.GET
        ascending = parameters.get("order") == "asc"
        rows = list_collection_files(collection).order_by("id" if ascending else "-id")
        wanted = parameters.get("filter")
        if statuses := [status for status in DocumentStatus if get_file_status(status) == wanted]:
            rows = rows.filter(status__in=statuses)
        if after := parameters.get("after"):
            rows = rows.filter(**{"id__gt" if ascending else "id__lt": get_store_file(collection, after).pk})
        if before := parameters.get("before"):
            rows = rows.filter(**{"id__lt" if ascending else "id__gt": get_store_file(collection, before).pk})
        return rows

    def post(self, request: Any, name: str) -> HttpResponse:
        """Attach a file; a job indexes it."""
        body = validate_schema(AttachRequest, request.data)
        with self.scoped(read_only=True):
            collection, file = get_collection(name), get_file(body.file_id)
            if existing := find_collection_file(collection, file.pk):
                return json_response(_render_store_file(existing))
        try:
            stored = copy_stored_file(file)
        except FileNotFoundError:
            raise ObjectNotFoundError(f"No such File object: {body.file_id}", parameter="file_id") from None
        return self._attach(name, body, stored)

    def _attach(self, name: str, body: AttachRequest, stored: StoredFile) -> HttpResponse:
        def respond() -> HttpResponse:
            attributes = body.attributes or {}
            row = attach_file(get_collection(name), get_file(body.file_id), stored, attributes=attributes)
            return json_response(_render_store_file(row))

        try:
            with self.scoped():
                response: HttpResponse = self.idempotent_request().run(respond)
        except BaseException:
            delete_file(stored.path)
            raise
        if "Idempotency-Replayed" in response:
            delete_file(stored.path)
        return response


class StoreFileView(CompatView):
    """One file of a vector store."""

    dialect = staticmethod(error_body)
    scope = "request"
    resource = "collections"

    def get(self, request: Any, name: str, file: str) -> HttpResponse:
        """Return the file with its indexing status."""
        return json_response(_render_store_file(get_store_file(get_collection(name), file)))

    def delete(self, request: Any, name: str, file: str) -> HttpResponse:
        """Remove the file from the vector store. A document that is not a copy is deleted as a file too."""
        delete_document(get_store_file(get_collection(name), file))
        return json_response({"id": file, "object": "vector_store.file.deleted", "deleted": True})
