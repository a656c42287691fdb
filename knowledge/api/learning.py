"""Embeddings and learnt patterns in the API; the system makes them."""

from config.api.serializers import HouseSerializer
from config.api.viewsets import DestroyMixin, ReadOnlyTenantViewSet
from knowledge.models import Embedding, LearningPattern


class EmbeddingSerializer(HouseSerializer):
    """A text that has a vector, without the vector."""

    class Meta:
        model = Embedding
        fields = ("id", "content", "embedding_model", "metadata", "created_at", "updated_at")
        read_only_fields = fields


class LearningPatternSerializer(HouseSerializer):
    """Something that the person does again and again."""

    class Meta:
        model = LearningPattern
        fields = (
            "id",
            "user",
            "pattern_type",
            "data",
            "confidence",
            "occurrences",
            "success_rate",
            "last_seen_at",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class EmbeddingViewSet(ReadOnlyTenantViewSet):
    """Texts that are searched by meaning."""

    serializer_class = EmbeddingSerializer
    resource = "collections"
    filterset_fields = ("embedding_model",)
    ordering_fields = ("created_at", "updated_at")


class LearningPatternViewSet(DestroyMixin, ReadOnlyTenantViewSet):
    """What was learnt about oneself; deleting a pattern forgets it."""

    serializer_class = LearningPatternSerializer
    resource = "learning-patterns"
    filterset_fields = ("pattern_type", "occurrences")
    ordering_fields = ("created_at", "updated_at", "confidence", "occurrences", "last_seen_at")
