"""Body of `retrieval` steps: a search in a collection."""

import time
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, Field, ValidationError

from config.db.json_schema import StrictSchema
from conversations.runtime.journal import strip_unstorable_json
from knowledge.choices import CollectionStatus, RetrievalStrategy
from knowledge.embedders import EmbeddingError
from knowledge.models import Collection
from knowledge.schemas import LanguageCode
from knowledge.services.search import FoundPassage, embed_search_query, log_query, search
from workflows.choices import StepKind
from workflows.runtime.outside_calls import require_text
from workflows.runtime.step_bodies import StepContext, StepError, StepResult, register_body

DEFAULT_PASSAGES, MAX_PASSAGES = 5, 100


class RetrievalFilter(StrictSchema):
    """Filter on passages; all given members apply."""

    metadata: dict[str, Any] = Field(default_factory=dict)
    documents: list[UUID] = Field(default_factory=list, max_length=100)
    sources: list[str] = Field(default_factory=list, max_length=100)
    file_types: list[str] = Field(default_factory=list, max_length=20)
    languages: list[LanguageCode] = Field(default_factory=list, max_length=20)
    tags: list[str] = Field(default_factory=list, max_length=20)
    uploaded_after: AwareDatetime | None = None
    uploaded_before: AwareDatetime | None = None


@register_body(StepKind.RETRIEVAL)
def search_passages(context: StepContext) -> StepResult:
    """Search the collection as the run's user, record the query and return the passages."""
    started, query = time.perf_counter(), strip_unstorable_json(require_text(context, "query"))
    filters, limit = _get_filters(context), _get_limit(context)
    slug = require_text(context, "collection")
    with context.scope():
        active = Collection.objects.exclude(status=CollectionStatus.ARCHIVED)
        collection = active.filter(slug=slug).first()
    if collection is None:
        raise StepError("collection_not_found", f"The collection {slug} does not exist.", retryable=False)
    context.check_cancelled()
    try:
        # Outside the transaction, since the embedding model may be a remote service.
        vectors = embed_search_query(query, [collection], strategy=RetrievalStrategy.HYBRID)
    except EmbeddingError as error:
        raise StepError("search_failed", str(error)) from error
    context.check_cancelled()
    with context.scope():
        found = search(query, [collection], limit=limit, filters=filters, vectors=vectors)
        record = log_query(query, found, collections=[collection], started=started, filters=filters)
    passages = [_render_passage(number, each) for number, each in enumerate(found, 1)]
    return StepResult({"passages": passages}, metadata={"query_id": str(record.pk)})


def _get_filters(context: StepContext) -> dict[str, Any]:
    given = strip_unstorable_json(context.config.get("filter") or {})
    try:
        return RetrievalFilter.model_validate(given).model_dump(mode="json", exclude_unset=True)
    except ValidationError as error:
        members = ", ".join(RetrievalFilter.model_fields)
        message = f"The member filter must be an object with members of {members}."
        raise StepError("invalid_input", message, retryable=False) from error


def _get_limit(context: StepContext) -> int:
    value = context.config.get("top_k")
    limit = DEFAULT_PASSAGES if value is None else value
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_PASSAGES:
        message = f"The member top_k must be an integer from 1 to {MAX_PASSAGES}."
        raise StepError("invalid_input", message, retryable=False)
    return limit


def _render_passage(number: int, passage: FoundPassage) -> dict[str, Any]:
    return {
        "number": number,
        "chunk": str(passage.id),
        "document": str(passage.document_id),
        "title": passage.title or passage.filename,
        "source": passage.source,
        "text": passage.text,
        "context": passage.context,
        "page": passage.page,
        "score": round(passage.score, 4),
    }
