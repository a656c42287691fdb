"""Vector stores in OpenAI's format: collections of the tenant and their search."""

import contextlib
import time
from typing import Annotated, Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpResponse
from pydantic import Field

from config.api.exceptions import Problem
from config.api.views import json_response
from conversations.api.compat import CompatView
from conversations.api.parameters import SEARCH
from conversations.api.wire_models import WireModel, validate_schema
from knowledge.models import Collection
from knowledge.services.search import FoundPassage, log_query, search

from .errors import error_body
from .pages import parse_limit, render_page
from .schemas import Name

STORE = "vs_"
FILE = "file-"


class VectorStoreNotFoundError(Problem):
    status_code = 404
    default_code = "not_found"


class SearchRequest(WireModel):
    table = SEARCH

    query: Name | Annotated[list[Name], Field(min_length=1, max_length=10)]
    max_num_results: Annotated[int, Field(ge=1, le=50)] = 10


class VectorStoresView(CompatView):
    """Collections that the caller may read."""

    dialect = staticmethod(error_body)
    scope = "request"
    resource = "collections"
    extra_parameters = ("limit", "order", "after", "before")

    def get(self, request: Any) -> HttpResponse:
        """List the collections, newest first."""
        rows = Collection.objects.order_by("id" if request.GET.get("order") == "asc" else "-id")
        if after := request.GET.get("after"):
            side = "id__gt" if request.GET.get("order") == "asc" else "id__lt"
            rows = rows.filter(**{side: get_collection(after).pk})
        limit = parse_limit(request.GET)
        page = list(rows[: limit + 1])
        data = [_render_store(row) for row in page[:limit]]
        return json_response(render_page(data, has_more=len(page) > limit))


class VectorStoreView(CompatView):
    """One collection."""

    dialect = staticmethod(error_body)
    scope = "request"
    resource = "collections"

    def get(self, request: Any, name: str) -> HttpResponse:
        """Return the collection by id or slug."""
        return json_response(_render_store(get_collection(name)))


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
        page = {"object": "vector_store.search_results.page", "search_query": [query]}
        return json_response(
            page
            | {"data": [_render_passage(each) for each in passages], "has_more": False, "next_page": None}
        )


def get_collection(name: str) -> Collection:
    """Return the collection with this slug or id, with or without the prefix.

    Raises:
        VectorStoreNotFoundError: the collection does not exist.
    """
    condition = Q(slug=name)
    with contextlib.suppress(ValueError):
        condition |= Q(pk=UUID(name.removeprefix(STORE)))
    collection = Collection.objects.filter(condition).first()
    if collection is None:
        raise VectorStoreNotFoundError(f"No vector store found with id '{name}'.")
    return collection


def _render_store(row: Collection) -> dict[str, Any]:
    counts = {"in_progress": 0, "completed": row.document_count, "failed": 0, "cancelled": 0}
    return {
        "id": f"{STORE}{row.pk.hex}",
        "object": "vector_store",
        "name": row.slug,
        "status": "completed",
        "created_at": int(row.created_at.timestamp()),
        "last_active_at": int(row.updated_at.timestamp()),
        "usage_bytes": 0,
        "file_counts": {**counts, "total": row.document_count},
        "metadata": {"title": row.name[:512]},
    }


def _render_passage(passage: FoundPassage) -> dict[str, Any]:
    attributes = {"title": passage.title[:512], "source": passage.source[:512], "chunk": str(passage.id)}
    if passage.page is not None:
        attributes["page"] = str(passage.page)
    return {
        "file_id": f"{FILE}{passage.document_id.hex}",
        "filename": passage.filename,
        "score": round(passage.score, 4),
        "attributes": attributes,
        "content": [{"type": "text", "text": passage.text}],
    }
