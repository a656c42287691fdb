"""Vector stores in OpenAI's format: collections of the tenant and their search."""

import contextlib
import time
from typing import Annotated, Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.http import HttpResponse
from django.utils.text import slugify
from pydantic import Field

from config.api.exceptions import Conflict
from config.api.views import json_response
from conversations.api.compat import CompatView
from conversations.api.parameters import SEARCH, VECTOR_STORE, VECTOR_STORE_UPDATE
from conversations.api.wire_models import UNSUPPORTED, CompatError, WireModel, validate_schema
from knowledge.choices import DocumentStatus
from knowledge.models import Collection, Document
from knowledge.services.collections import (
    delete_collection,
    get_or_create_collection,
    update_collection,
)
from knowledge.services.library import LIBRARY_SLUG, map_file_ids
from knowledge.services.search import FoundPassage, log_query, search

from .errors import ObjectNotFoundError, error_body
from .files import FILE
from .pages import parse_limit, render_page
from .schemas import Name

STORE = "vs_"
# Key of a collection's metadata with that of the vector store.
METADATA = "vector_store"
STATUSES = {DocumentStatus.INDEXED: "completed", DocumentStatus.FAILED: "failed"}


def get_file_status(status: str) -> str:
    """Return the status of a document in OpenAI's format."""
    return STATUSES.get(DocumentStatus(status), "in_progress")


class SearchRequest(WireModel):
    table = SEARCH

    query: Name | Annotated[list[Name], Field(min_length=1, max_length=10)]
    max_num_results: Annotated[int, Field(ge=1, le=50)] = 10


Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)
]


class StoreRequest(WireModel):
    table = VECTOR_STORE

    name: Name
    description: str | None = None
    file_ids: list[str] | None = None
    metadata: Metadata | None = None


class StoreUpdateRequest(WireModel):
    table = VECTOR_STORE_UPDATE

    name: Name | None = None
    metadata: Metadata | None = None


class NameTakenError(Conflict):
    def __init__(self, slug: str) -> None:
        super().__init__(f"A vector store with the name '{slug}' already exists.")


class VectorStoresView(CompatView):
    """Collections that the caller may read."""

    dialect = staticmethod(error_body)
    scope = "request"
    resource = "collections"
    extra_parameters = ("limit", "order", "after", "before")

    def get(self, request: Any) -> HttpResponse:
        """List the collections, newest first."""
        rows = list_stores().order_by("id" if request.GET.get("order") == "asc" else "-id")
        if after := request.GET.get("after"):
            side = "id__gt" if request.GET.get("order") == "asc" else "id__lt"
            rows = rows.filter(**{side: get_collection(after).pk})
        limit = parse_limit(request.GET)
        page = list(rows[: limit + 1])
        data = _render_stores(page[:limit])
        return json_response(render_page(data, has_more=len(page) > limit))

    def post(self, request: Any) -> HttpResponse:
        """Create a collection with the default embedder."""
        body = validate_schema(StoreRequest, request.data)
        if body.file_ids:
            raise CompatError("file_ids", "Attach files to the vector store after its creation.", UNSUPPORTED)
        slug = _build_slug(body.name)
        metadata = {METADATA: body.metadata} if body.metadata else {}
        collection, created = get_or_create_collection(
            slug, name=body.name, description=body.description or "", metadata=metadata
        )
        if not created:
            raise NameTakenError(slug)
        return json_response(_render_stores([collection])[0])


class VectorStoreView(CompatView):
    """One collection."""

    dialect = staticmethod(error_body)
    scope = "request"
    resource = "collections"

    def get(self, request: Any, name: str) -> HttpResponse:
        """Return the collection by id or slug."""
        return json_response(_render_stores([get_collection(name)])[0])

    def post(self, request: Any, name: str) -> HttpResponse:
        """Change the name, and with it the slug, or the metadata."""
        body = validate_schema(StoreUpdateRequest, request.data)
        collection = get_collection(name, lock=True)
        changes: dict[str, Any] = {}
        if body.name is not None:
            changes = {"name": body.name, "slug": _build_slug(body.name)}
            if Collection.objects.filter(slug=changes["slug"]).exclude(pk=collection.pk).exists():
                raise NameTakenError(changes["slug"])
        if body.metadata is not None:
            changes["metadata"] = {**collection.metadata, METADATA: body.metadata}
        return json_response(_render_stores([update_collection(collection, **changes)])[0])

    def delete(self, request: Any, name: str) -> HttpResponse:
        """Delete the collection and its documents. Files of which it has copies remain."""
        collection = get_collection(name, lock=True)
        deleted = {"id": _get_id(collection), "object": "vector_store.deleted", "deleted": True}
        delete_collection(collection)
        return json_response(deleted)


class VectorStoreSearchView(CompatView):
    """Search in a collection."""

    dialect = staticmethod(error_body)
    scope = "request"
    resource = "collections"
    verbs = {"POST": "read"}

    def post(self, request: Any, name: str) -> HttpResponse:
        """Return the best passages; the search is logged for the user."""
        body = validate_schema(SearchRequest, request.data)
        collection, started = get_collection(name), time.perf_counter()
        query = body.query if isinstance(body.query, str) else " ".join(body.query)
        passages = search(query, [collection], limit=body.max_num_results)
        log_query(query, passages, collections=[collection], started=started)
        file_ids = map_file_ids({each.document_id for each in passages})
        # A document may be deleted after the search.
        data = [
            _render_passage(each, file_ids[each.document_id])
            for each in passages
            if each.document_id in file_ids
        ]
        page = {"object": "vector_store.search_results.page", "search_query": [query]}
        return json_response(page | {"data": data, "has_more": False, "next_page": None})


def list_stores() -> QuerySet[Collection]:
    """Return the collections that are vector stores: all but that of the uploaded files."""
    return Collection.objects.exclude(slug=LIBRARY_SLUG)


def get_collection(name: str, *, lock: bool = False) -> Collection:
    """Return the collection with this slug or id, with or without the prefix.

    Args:
        lock: lock it until the transaction ends.

    Raises:
        ObjectNotFoundError: the collection does not exist.
    """
    condition = Q(slug=name)
    with contextlib.suppress(ValueError):
        condition |= Q(pk=UUID(name.removeprefix(STORE)))
    rows = list_stores().filter(condition)
    collection = (rows.select_for_update() if lock else rows).first()
    if collection is None:
        raise ObjectNotFoundError(f"No vector store found with id '{name}'.")
    return collection


def _build_slug(name: str) -> str:
    """Return the slug of a vector store called `name`.

    Raises:
        CompatError: the name has no slug, or that of the uploaded files.
    """
    slug = slugify(name)[:100]
    if not slug:
        raise CompatError("name", "name: must contain letters or digits.")
    if slug == LIBRARY_SLUG:
        raise CompatError("name", f"name: '{slug}' is reserved for uploaded files.")
    return slug


def _get_id(row: Collection) -> str:
    return f"{STORE}{row.pk.hex}"


def _get_metadata(row: Collection) -> dict[str, str]:
    """Return the metadata of the vector store; clients of `/api` may have stored other values."""
    stored = row.metadata.get(METADATA)
    return {name: str(value) for name, value in stored.items()} if isinstance(stored, dict) else {}


def _render_stores(rows: list[Collection]) -> list[dict[str, Any]]:
    counts = {row.pk: {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0} for row in rows}
    documents = Document.objects.filter(collection_id__in=list(counts)).order_by()
    for collection_id, status, count in documents.values_list("collection_id", "status").annotate(
        Count("pk")
    ):
        counts[collection_id][get_file_status(status)] += count
    return [_render_store(row, counts[row.pk]) for row in rows]


def _render_store(row: Collection, counts: dict[str, int]) -> dict[str, Any]:
    return {
        "id": _get_id(row),
        "object": "vector_store",
        "name": row.slug,
        "status": "in_progress" if counts["in_progress"] else "completed",
        "created_at": int(row.created_at.timestamp()),
        "last_active_at": int(row.updated_at.timestamp()),
        "usage_bytes": 0,
        "file_counts": {**counts, "total": sum(counts.values())},
        "metadata": {"title": row.name[:512], **_get_metadata(row)},
    }


def _render_passage(passage: FoundPassage, file_id: UUID) -> dict[str, Any]:
    attributes = {"title": passage.title[:512], "source": passage.source[:512], "chunk": str(passage.id)}
    if passage.page is not None:
        attributes["page"] = str(passage.page)
    return {
        "file_id": f"{FILE}{file_id.hex}",
        "filename": passage.filename,
        "score": round(passage.score, 4),
        "attributes": attributes,
        "content": [{"type": "text", "text": passage.text}],
    }
