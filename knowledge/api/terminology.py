"""Terms in the API: one's own and the public ones."""

from typing import Any

from rest_framework import serializers

from config.api.integrity import MISSING
from config.api.serializers import HouseSerializer, RelatedIdsField, TextListField
from config.api.viewsets import TenantViewSet
from knowledge.models import Term


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


class TermViewSet(TenantViewSet):
    """One's own terms, and those that colleagues have made public, which only they change."""

    serializer_class = TermSerializer
    resource = "terms"
    filterset_fields = ("term", "context", "is_public", "user")
    ordering_fields = ("created_at", "updated_at", "term", "frequency", "last_used_at")
    owner_field = "user_id"
