"""API of terms."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action

from config.api.constraint_errors import DOES_NOT_EXIST
from config.api.serializers import BaseSerializer, RelatedIdsField, TextListField, cached_serializer
from config.api.similarity import SimilarityMixin, SimilarRequestSerializer, build_similar_serializer
from config.api.views import json_response
from config.api.viewsets import TenantViewSet
from knowledge.choices import RelationKind
from knowledge.models import Term
from knowledge.services.terminology import (
    TermMatch,
    embed_new_terms,
    find_similar_terms,
    look_up,
    note_use,
    relate_terms,
)


class SentenceListField(TextListField):
    """A list of sentences."""

    child = serializers.CharField(max_length=2000)


class TermSerializer(BaseSerializer):
    """A term and its definition."""

    usage_examples = SentenceListField(required=False, help_text="Example sentences.")
    related_terms = RelatedIdsField(
        through="knowledge.TermRelation",
        near="term",
        far="related",
        required=False,
        help_text="Ids of related terms.",
    )
    tags = TextListField(required=False, help_text="Tags of the term.")

    class Meta:
        model = Term
        extra_kwargs = {"user": {"read_only": True}}
        fields = (
            "user",
            "term",
            "definition",
            "context",
            "usage_examples",
            "related_terms",
            "frequency",
            "last_used_at",
            "tags",
            "is_public",
        )

    def validate_related_terms(self, value: list[Any]) -> list[Any]:
        """Validate that the related terms are visible and exclude the term."""
        others = set(value) - {getattr(self.instance, "pk", None)}
        if len(others) < len(set(value)):
            raise serializers.ValidationError("A term cannot be related to itself.", code="invalid")
        if Term.objects.filter(id__in=others).count() < len(others):
            raise serializers.ValidationError(DOES_NOT_EXIST, code="does_not_exist")
        return value


class TextSerializer(serializers.Serializer):
    """A text that may contain terms."""

    text = serializers.CharField(max_length=20_000, help_text="The text.")


class FoundTermSerializer(serializers.Serializer):
    """A term in the text and its synonyms."""

    term = TermSerializer()
    synonyms = serializers.ListField(child=serializers.CharField(), help_text="Synonyms of the term.")


class FoundTermsSerializer(serializers.Serializer):
    """Terms of a text."""

    results = FoundTermSerializer(many=True)


class TermLikenessSerializer(SimilarRequestSerializer):
    """Request for similar terms."""


class RelationSerializer(serializers.Serializer):
    """Request to relate two terms."""

    related = serializers.UUIDField(help_text="Id of the related term.")
    kind = serializers.ChoiceField(choices=RelationKind.choices, help_text="Kind of relation.")


class TermViewSet(SimilarityMixin, TenantViewSet):
    """Terms of the caller, and public terms of colleagues (read-only)."""

    serializer_class = TermSerializer
    resource = "terms"
    ordering_fields = ("created_at", "updated_at", "term", "frequency", "last_used_at")
    owner_field = "user_id"
    verbs = {"look_up": "read", "note_use": "write", "relate": "write", "similar": "read"}

    def perform_create(self, serializer: Any) -> Any:
        term = super().perform_create(serializer)
        embed_new_terms([term])
        return term

    def perform_update(self, serializer: Any) -> None:
        super().perform_update(serializer)
        embed_new_terms([serializer.instance])

    def _terms_response(self, terms: list[TermMatch]) -> HttpResponse:
        show = cached_serializer(TermSerializer).to_representation
        return json_response(
            {"results": [{"term": show(each.term), "synonyms": each.synonyms} for each in terms]}
        )

    @extend_schema(request=TextSerializer, responses={200: FoundTermsSerializer})
    @action(detail=False, methods=["post"], url_path="look-up")
    def look_up(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Return the terms that occur in a text, with their synonyms."""
        return self._terms_response(look_up(self.validate_body(TextSerializer)["text"]))

    @extend_schema(request=TextSerializer, responses={200: FoundTermsSerializer})
    @action(detail=False, methods=["post"], url_path="note-use")
    def note_use(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Count the use of the caller's terms in a text."""
        return self._terms_response(
            [TermMatch(term, []) for term in note_use(self.validate_body(TextSerializer)["text"])]
        )

    @extend_schema(request=TermLikenessSerializer, responses=build_similar_serializer("term", TermSerializer))
    @action(detail=False, methods=["post"])
    def similar(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Return terms similar to a text, nearest first."""
        data = self.validate_body(TermLikenessSerializer)
        return self.similar_response("term", find_similar_terms(data["text"], limit=data["limit"]))

    @extend_schema(request=RelationSerializer, responses={200: TermSerializer})
    @action(detail=True, methods=["post"])
    def relate(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Relate the term to another term."""
        data = self.validate_body(RelationSerializer)
        term = self.get_object(lock=True)
        related = Term.objects.filter(pk=data["related"]).first()
        if related is None or related.pk == term.pk:
            reason = DOES_NOT_EXIST if related is None else "A term cannot be related to itself."
            raise serializers.ValidationError({"related": reason})
        relate_terms(term, related, data["kind"])
        return self.rendered_row(TermSerializer, term)
