"""Read-only conversation report in the API."""

from config.api.serializers import ReadOnlySerializer
from config.api.viewsets import ReadOnlyTenantViewSet
from conversations.models import ConversationActivityDaily


class ConversationActivityDailySerializer(ReadOnlySerializer):
    """Conversation activity of one day."""

    class Meta:
        model = ConversationActivityDaily
        fields = (
            "id",
            "date",
            "conversations",
            "people",
            "questions",
            "answers",
            "failed_answers",
            "token_count",
            "cost",
            "p95_latency_ms",
        )


class ConversationActivityDailyViewSet(ReadOnlyTenantViewSet):
    """Conversation activity by day, for all people together. Computed once an hour."""

    serializer_class = ConversationActivityDailySerializer
    resource = "usage"
    ordering_fields = ("date", "conversations", "questions", "cost")
    ordering = "-date"
