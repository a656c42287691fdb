"""API of embeddings and learning patterns."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action

from config.api.serializers import ObjectField, ReadOnlySerializer
from config.api.similarity import SimilarityMixin, SimilarRequestSerializer, build_similar_serializer
from config.api.views import bodyless, json_response
from config.api.viewsets import DestroyMixin
from knowledge.choices import PatternType
from knowledge.models import Embedding, LearningPattern
from knowledge.services.learning import forget_patterns, observe_pattern, record_outcome, similar_patterns
from knowledge.services.similarity import find_similar_texts, store_text


class EmbeddingSerializer(ReadOnlySerializer):
    """An embedded text, without its vector."""

    class Meta:
        model = Embedding
        fields = ("content", "embedding_model", "metadata")


class LearningPatternSerializer(ReadOnlySerializer):
    """A recurring behaviour of the user."""

    class Meta:
        model = LearningPattern
        fields = (
            "user",
            "pattern_type",
            "key",
            "data",
            "confidence",
            "occurrences",
            "applied_count",
            "failure_count",
            "success_rate",
            "last_seen_at",
        )


class ObservationSerializer(serializers.Serializer):
    """An observed action of the user."""

    pattern_type = serializers.ChoiceField(choices=PatternType.choices, help_text="Pattern type.")
    data = ObjectField(help_text="Details of the action; their structure depends on the pattern type.")


class OutcomeSerializer(serializers.Serializer):
    """Whether acting on the pattern helped."""

    helped = serializers.BooleanField(help_text="Whether it helped.")


class PatternLikenessSerializer(SimilarRequestSerializer):
    """Request for similar patterns."""

    pattern_type = serializers.ChoiceField(
        choices=PatternType.choices, required=False, help_text="Return only patterns of this type."
    )


class KeptTextSerializer(serializers.Serializer):
    """Request to store a text."""

    content = serializers.CharField(max_length=8000, help_text="The text.")
    metadata = ObjectField(required=False, help_text="Free-form data, such as the origin of the text.")


class TextLikenessSerializer(SimilarRequestSerializer):
    """Request for similar texts."""

    metadata = ObjectField(required=False, help_text="Return only texts whose metadata contains this.")


class EmbeddingViewSet(SimilarityMixin, DestroyMixin):
    """Texts outside collections, searchable by similarity."""

    serializer_class = EmbeddingSerializer
    resource = "collections"
    ordering_fields = ("created_at", "updated_at")
    verbs = {"remember": "write", "similar": "read"}

    def get_queryset(self) -> Any:
        # Texts that belong to another object are read there, with its permissions.
        return super().get_queryset().filter(source_id=None)

    @extend_schema(request=KeptTextSerializer, responses={200: EmbeddingSerializer})
    @action(detail=False, methods=["post"])
    def remember(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Store a text; storing the same text again updates its metadata."""
        data = self.validate_body(KeptTextSerializer)
        row = store_text(data["content"], data.get("metadata"))
        return self.rendered_row(EmbeddingSerializer, row)

    @extend_schema(
        request=TextLikenessSerializer,
        responses=build_similar_serializer("text", EmbeddingSerializer, "Text"),
    )
    @action(detail=False, methods=["post"])
    def similar(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Return similar texts, nearest first."""
        data = self.validate_body(TextLikenessSerializer)
        results = find_similar_texts(data["text"], metadata=data.get("metadata"), limit=data["limit"])
        return self.similar_response("text", results)


class DeletedCountSerializer(serializers.Serializer):
    """Number of deleted rows."""

    deleted = serializers.IntegerField(help_text="Number of deleted rows.")


class ForgetMixin(DestroyMixin):
    """Support for DELETE and the action `forget`, of rows that were learned from answers."""

    @bodyless(responses={200: DeletedCountSerializer})
    @action(detail=False, methods=["post"])
    def forget(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Delete everything that was learned from answers."""
        return json_response({"deleted": forget_patterns(self.get_queryset())})


class LearningPatternViewSet(SimilarityMixin, ForgetMixin):
    """Learning patterns of the caller."""

    serializer_class = LearningPatternSerializer
    resource = "learning-patterns"
    ordering_fields = ("created_at", "updated_at", "confidence", "occurrences", "last_seen_at")
    verbs = {"observe": "write", "outcome": "write", "similar": "read", "forget": "write"}

    @extend_schema(request=ObservationSerializer, responses={200: LearningPatternSerializer})
    @action(detail=False, methods=["post"])
    def observe(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Record an action; it updates a similar pattern or creates a new one."""
        data = self.validate_body(ObservationSerializer)
        pattern = observe_pattern(data["pattern_type"], data["data"])
        return self.rendered_row(LearningPatternSerializer, pattern)

    @extend_schema(request=OutcomeSerializer, responses={200: LearningPatternSerializer})
    @action(detail=True, methods=["post"])
    def outcome(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Record whether acting on the pattern helped."""
        helped = self.validate_body(OutcomeSerializer)["helped"]
        pattern = record_outcome(self.get_object(lock=True), helped=helped)
        return self.rendered_row(LearningPatternSerializer, pattern)

    @extend_schema(
        request=PatternLikenessSerializer,
        responses=build_similar_serializer("pattern", LearningPatternSerializer, "Pattern"),
    )
    @action(detail=False, methods=["post"])
    def similar(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Return the caller's patterns similar to a text, nearest first."""
        data = self.validate_body(PatternLikenessSerializer)
        results = similar_patterns(
            data["text"], pattern_type=data.get("pattern_type", ""), limit=data["limit"]
        )
        return self.similar_response("pattern", results)
