"""API of search: passages in the format of citations, with an explanation of their rank."""

import math
import time
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.utils.html import escape
from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from config.api.exceptions import Problem
from config.api.serializers import ObjectField
from config.api.views import ApiView, json_response
from knowledge.choices import CollectionStatus, RetrievalStrategy
from knowledge.embedders import EmbeddingError
from knowledge.models import Collection
from knowledge.schemas import (
    MAX_BOOST,
    MAX_BOOSTED_TAGS,
    MAX_EXPAND_TOKENS,
    MAX_HALF_LIFE_DAYS,
    MIN_BOOST,
    MIN_HALF_LIFE_DAYS,
)
from knowledge.services.boosts import SearchBoosts
from knowledge.services.neighbours import PassageContext, load_passage_contexts
from knowledge.services.passage_expansion import ExpandedPassage, expand_passages
from knowledge.services.search import MAX_QUERY, embed_search_query, locate_text, log_query, search
from knowledge.services.search_sql import HIT_END, HIT_START

MAX_RESULTS = 50
QUOTE_LENGTH = 300


class SearchUnavailableError(Problem):
    """The embedding model of a collection is unavailable."""

    status_code = 503
    default_code = "search_failed"


class NumberField(serializers.FloatField):
    """A finite number."""

    def to_internal_value(self, data: Any) -> float:
        value: float = super().to_internal_value(data)
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class FiltersSerializer(serializers.Serializer):
    """Filters on passages; all given filters apply."""

    metadata = ObjectField(required=False, help_text="Metadata that the chunk or its document must contain.")
    documents = serializers.ListField(
        child=serializers.UUIDField(), required=False, max_length=100, help_text="Ids of documents."
    )
    sources = serializers.ListField(
        child=serializers.CharField(max_length=1024), required=False, max_length=100, help_text="Sources."
    )
    file_types = serializers.ListField(
        child=serializers.CharField(max_length=100), required=False, max_length=20, help_text="Media types."
    )
    languages = serializers.ListField(
        child=serializers.RegexField(r"^[a-z]{2}$"),
        required=False,
        max_length=20,
        help_text="Languages of the passages, as ISO 639-1 codes.",
    )
    tags = serializers.ListField(
        child=serializers.CharField(max_length=100),
        required=False,
        max_length=20,
        help_text="Tags; the `tags` of the document's metadata must contain one of them.",
    )
    uploaded_after = serializers.DateTimeField(required=False, help_text="Earliest upload of the document.")
    uploaded_before = serializers.DateTimeField(
        required=False, help_text="Upload of the document before this time."
    )


class SearchSerializer(serializers.Serializer):
    """Request to search collections."""

    query = serializers.CharField(
        max_length=MAX_QUERY,
        help_text=(
            'Question or search terms. `"exact phrase"` must occur, `-word` must not, and `title:word` must occur in '
            "the title or a heading."
        ),
    )
    collections = serializers.ListField(
        child=serializers.CharField(max_length=100),
        min_length=1,
        max_length=20,
        help_text="Slugs or ids of collections; their embedding models may differ.",
    )
    strategy = serializers.ChoiceField(
        choices=RetrievalStrategy, default=RetrievalStrategy.HYBRID, help_text="Retrieval strategy."
    )
    k = serializers.IntegerField(
        default=8, min_value=1, max_value=MAX_RESULTS, help_text="Maximum number of passages."
    )
    filters = FiltersSerializer(required=False, help_text="Filters on passages.")
    expand = serializers.IntegerField(
        default=0,
        min_value=0,
        max_value=5,
        help_text="Number of neighbouring chunks on each side; with 0, neighbours and section are omitted.",
    )
    expand_tokens = serializers.IntegerField(
        default=0,
        min_value=0,
        max_value=MAX_EXPAND_TOKENS,
        help_text=(
            "Maximum number of tokens of text around each passage, from chunks under the same headings or from "
            "neighbouring ones. Passages whose expanded texts overlap are merged; with 0, `expanded` is omitted."
        ),
    )
    diversity = NumberField(
        default=0,
        min_value=0,
        max_value=1,
        help_text=(
            "How much to avoid passages that resemble better ones (maximal marginal relevance). With 0, only "
            "repetitions within a document are removed."
        ),
    )
    recency_half_life_days = NumberField(
        required=False,
        allow_null=True,
        min_value=MIN_HALF_LIFE_DAYS,
        max_value=MAX_HALF_LIFE_DAYS,
        help_text=(
            "Age of a document that halves the score of its passages, in days. By default, the collection's "
            "`settings` apply."
        ),
    )
    tag_boosts = serializers.DictField(
        child=NumberField(min_value=MIN_BOOST, max_value=MAX_BOOST),
        required=False,
        help_text=(
            'Factors of the score by tag of the document, such as {"policy": 2}. By default, the collection\'s '
            "`settings` apply."
        ),
    )

    def validate_tag_boosts(self, value: dict[str, float]) -> dict[str, float]:
        """Limit the number of tags."""
        if len(value) > MAX_BOOSTED_TAGS:
            raise serializers.ValidationError(
                f"Must have at most {MAX_BOOSTED_TAGS} tags.", code="max_length"
            )
        return value


class ExpandedSerializer(serializers.Serializer):
    """A passage with the text around it."""

    text = serializers.CharField(help_text="Text of the chunks, each part once.")
    document_start = serializers.IntegerField(
        allow_null=True, help_text="Offset of the text in the text of the document, in characters."
    )
    document_end = serializers.IntegerField(allow_null=True, help_text="Offset after its last character.")
    chunks = serializers.ListField(
        child=serializers.UUIDField(), help_text="Ids of the chunks, in document order."
    )


class HitSerializer(serializers.Serializer):
    """A passage found by a search. The first fields are those of a citation."""

    number = serializers.IntegerField(help_text="Position in the results, starting at 1.")
    chunk = serializers.UUIDField(help_text="Id of the chunk.")
    document = serializers.UUIDField(help_text="Id of the document.")
    title = serializers.CharField(help_text="Title of the document.")
    source = serializers.CharField(help_text="Source of the document.")
    context = serializers.CharField(help_text="Headings above the passage.")
    page = serializers.IntegerField(allow_null=True, help_text="Page on which the passage begins.")
    document_start = serializers.IntegerField(
        allow_null=True, help_text="Offset of the passage in the text of the document, in characters."
    )
    document_end = serializers.IntegerField(allow_null=True, help_text="Offset after its last character.")
    score = serializers.FloatField(help_text="Score from 0 to 1; 1 means ranked first by every retriever.")
    quote = serializers.CharField(help_text="Beginning of the passage.")
    collection = serializers.UUIDField(help_text="Id of the collection.")
    text = serializers.CharField(help_text="Full text of the passage.")
    snippet = serializers.CharField(help_text="Escaped HTML with the matches in `mark` elements.")
    explanation = serializers.DictField(
        help_text="Rank and score by each retriever; null if it did not find the passage."
    )
    neighbours = serializers.ListField(
        child=serializers.DictField(),
        required=False,
        help_text="Neighbouring chunks: `id`, `chunk_index`, `text`.",
    )
    section = serializers.CharField(required=False, help_text="Text under the same headings.")
    expanded = ExpandedSerializer(required=False, help_text="The passage with the text around it.")


class FoundSerializer(serializers.Serializer):
    """Results of a search, best first."""

    query = serializers.UUIDField(help_text="Id of the recorded query; send feedback to /rag-queries/{id}/.")
    strategy = serializers.CharField(help_text="Retrieval strategy.")
    milliseconds = serializers.IntegerField(help_text="Response time in milliseconds.")
    results = HitSerializer(many=True, help_text="Passages.")


class SearchView(ApiView):
    """Search of collections."""

    resource = "collections"
    verbs = {"POST": "read"}
    scope = "manual"

    @extend_schema(request=SearchSerializer, responses={200: FoundSerializer}, operation_id="search")
    def post(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Search collections for relevant passages and record the query."""
        started = time.perf_counter()
        parameters = self.validate_body(SearchSerializer)
        with self.scoped():
            collections = _load_collections(parameters["collections"])
        # Outside the transaction, since the embedding model may be a remote service.
        vectors = _embed_query(parameters, collections)
        with self.scoped():
            return json_response(_build_response(parameters, collections, vectors, started))


def _load_collections(names: list[str]) -> list[Collection]:
    active = Collection.objects.exclude(status=CollectionStatus.ARCHIVED)
    collections = [active.filter(**_build_lookup(name)).first() for name in dict.fromkeys(names)]
    if missing := [
        name for name, collection in zip(dict.fromkeys(names), collections, strict=True) if not collection
    ]:
        raise serializers.ValidationError(
            {"collections": [f"Collection not found: {name}" for name in missing]},
            code="does_not_exist",
        )
    return list({collection.pk: collection for collection in collections if collection}.values())


def _build_lookup(name: str) -> dict[str, Any]:
    try:
        return {"pk": UUID(name)}
    except ValueError:
        return {"slug": name}


def _embed_query(wanted: dict[str, Any], collections: list[Collection]) -> dict[str, str]:
    try:
        return embed_search_query(wanted["query"], collections, strategy=wanted["strategy"])
    except EmbeddingError as error:
        raise SearchUnavailableError(str(error)) from error


def _build_response(
    wanted: dict[str, Any], collections: list[Collection], vectors: dict[str, str], started: float
) -> dict[str, Any]:
    filters = dict(wanted.get("filters") or {})
    result = search(
        wanted["query"],
        collections,
        limit=wanted["k"],
        strategy=wanted["strategy"],
        filters=filters,
        snippets=True,
        vectors=vectors,
        diversity=wanted["diversity"],
        boosts=SearchBoosts(wanted.get("recency_half_life_days"), wanted.get("tag_boosts") or {}),
    )
    around = load_passage_contexts(result, reach=wanted["expand"]) if wanted["expand"] else {}
    expanded = expand_passages(result, tokens=wanted["expand_tokens"])
    record = log_query(
        wanted["query"],
        result,
        collections=collections,
        started=started,
        strategy=wanted["strategy"],
        filters=filters,
    )
    return {
        "query": str(record.pk),
        "strategy": wanted["strategy"],
        "milliseconds": record.response_time_ms,
        "results": [_build_hit(number, each, around, wanted) for number, each in enumerate(expanded, 1)],
    }


def _build_hit(
    number: int, found: ExpandedPassage, around: dict[UUID, PassageContext], wanted: dict[str, Any]
) -> dict[str, Any]:
    passage = found.passage
    hit = {
        "number": number,
        "chunk": str(passage.id),
        "document": str(passage.document_id),
        "title": passage.title or passage.filename,
        "source": passage.source,
        "context": passage.context,
        "page": passage.page,
        **passage.locate(0, len(passage.text)),
        "score": round(passage.score, 4),
        "quote": passage.text[:QUOTE_LENGTH],
        "collection": str(passage.collection_id),
        "text": passage.text,
        "snippet": highlight_snippet(passage.snippet or passage.text[:QUOTE_LENGTH]),
        "explanation": asdict(passage.explanation),
    }
    if passage.id in around:
        context = around[passage.id]
        neighbours = [asdict(neighbour) | {"id": str(neighbour.id)} for neighbour in context.neighbours]
        hit |= {"neighbours": neighbours, "section": context.section}
    return hit | {"expanded": _build_expanded(found)} if wanted["expand_tokens"] else hit


def _build_expanded(found: ExpandedPassage) -> dict[str, Any]:
    position = locate_text(found.start, 0, len(found.text))
    return {"text": found.text, **position, "chunks": [str(chunk) for chunk in found.chunks]}


def highlight_snippet(snippet: str) -> str:
    """Return the snippet as escaped HTML with its matches in `mark` elements.

    Unpaired markers are dropped.
    """
    parts = escape(snippet).split(HIT_START)
    html = parts[0].replace(HIT_END, "")
    for part in parts[1:]:
        hit, closed, rest = part.partition(HIT_END)
        html += f"<mark>{hit}</mark>{rest.replace(HIT_END, '')}" if closed else hit
    return html
