"""Terms in the API: one's own and the public ones."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action

from config.api.integrity import MISSING
from config.api.serializers import HouseSerializer, RelatedIdsField, TextListField, reader
from config.api.views import json_response
from config.api.viewsets import TenantViewSet
from knowledge.choices import RelationKind
from knowledge.models import Term
from knowledge.services.terminology import (
    FoundTerm,
    embed_new_terms,
    look_up,
    note_use,
    relate_terms,
    similar_terms,
)


class SentenceListField(TextListField):
    """A list of sentences."""

    child = serializers.CharField(max_length=2000)


class TermSerializer(HouseSerializer):
    """A word and what its person means by it."""

    usage_examples = SentenceListField(required=False, help_text="Sentences that use them.")
    related_terms = RelatedIdsField(
        through="knowledge.TermRelation",
        near="term",
        far="related",
        required=False,
        help_text="Ids of terms that belong with it.",
    )
    tags = TextListField(required=False, help_text="Labels to find it by.")

    class Meta:
        model = Term
        extra_kwargs = {"user": {"read_only": True}}
        fields = (
            "id",
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
            "created_at",
            "updated_at",
        )

    def validate_related_terms(self, value: list[Any]) -> list[Any]:
        """Terms that the person sees, itself not among them."""
        others = set(value) - {getattr(self.instance, "pk", None)}
        if len(others) < len(set(value)):
            raise serializers.ValidationError("A term is not related to itself.", code="invalid")
        if Term.objects.filter(id__in=others).count() < len(others):
            raise serializers.ValidationError(MISSING, code="does_not_exist")
        return value


class TextSerializer(serializers.Serializer):
    """A text that may hold terms."""

    text = serializers.CharField(max_length=20_000, help_text="The text.")


class FoundTermSerializer(serializers.Serializer):
    """A term of the text, and the other words for it."""

    term = TermSerializer()
    synonyms = serializers.ListField(child=serializers.CharField(), help_text="Other words for it.")


class FoundTermsSerializer(serializers.Serializer):
    """Terms of a text."""

    results = FoundTermSerializer(many=True)


class TermLikenessSerializer(serializers.Serializer):
    """What terms should mean."""

    text = serializers.CharField(max_length=4000, help_text="Words to compare with.")
    limit = serializers.IntegerField(min_value=1, max_value=50, default=10, help_text="At most so many.")


class NearTermSerializer(serializers.Serializer):
    """A term and how near its meaning is."""

    term = TermSerializer()
    distance = serializers.FloatField(help_text="Cosine distance: 0 is the same, 1 has nothing in common.")


class NearTermsSerializer(serializers.Serializer):
    """Terms, nearest first."""

    results = NearTermSerializer(many=True)


class RelationSerializer(serializers.Serializer):
    """How a term belongs with another one."""

    related = serializers.UUIDField(help_text="Id of the other term.")
    kind = serializers.ChoiceField(choices=RelationKind.choices, help_text="Whether both mean the same.")


class TermViewSet(TenantViewSet):
    """One's own terms, and those that colleagues have made public, which only they change."""

    serializer_class = TermSerializer
    resource = "terms"
    filterset_fields = ("term", "context", "is_public", "user")
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

    def _text(self) -> str:
        asked = TextSerializer(data=self.request.data)
        asked.is_valid(raise_exception=True)
        return str(asked.validated_data["text"])

    def _found(self, terms: list[FoundTerm]) -> HttpResponse:
        show = reader(TermSerializer).to_representation
        return json_response(
            {"results": [{"term": show(each.term), "synonyms": each.synonyms} for each in terms]}
        )

    @extend_schema(request=TextSerializer, responses={200: FoundTermsSerializer})
    @action(detail=False, methods=["post"], url_path="look-up")
    def look_up(self, request: Any, **kwargs: Any) -> HttpResponse:
        """The terms that a text holds, with the other words for them."""
        return self._found(look_up(self._text()))

    @extend_schema(request=TextSerializer, responses={200: FoundTermsSerializer})
    @action(detail=False, methods=["post"], url_path="note-use")
    def note_use(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Count the use of one's own terms in a text."""
        return self._found([FoundTerm(term, []) for term in note_use(self._text())])

    @extend_schema(request=TermLikenessSerializer, responses={200: NearTermsSerializer})
    @action(detail=False, methods=["post"])
    def similar(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Terms whose meaning is near to a text, nearest first."""
        asked = TermLikenessSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        found = similar_terms(asked.validated_data["text"], limit=asked.validated_data["limit"])
        show = reader(TermSerializer).to_representation
        return json_response(
            {"results": [{"term": show(each), "distance": float(each.distance)} for each in found]}
        )

    @extend_schema(request=RelationSerializer, responses={200: TermSerializer})
    @action(detail=True, methods=["post"])
    def relate(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Say that another term means the same as one's own, or belongs with it."""
        term = self.get_object(lock=True)
        asked = RelationSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        related = Term.objects.filter(pk=asked.validated_data["related"]).first()
        if related is None or related.pk == term.pk:
            reason = MISSING if related is None else "A term is not related to itself."
            raise serializers.ValidationError({"related": reason})
        relate_terms(term, related, asked.validated_data["kind"])
        return self.rendered_row(TermSerializer, term)
