"""A report on conversations in the API: computed, read alone."""

from config.api.serializers import BaseSerializer
from config.api.viewsets import ReadOnlyTenantViewSet
from conversations.models import ConversationActivityDaily


class ConversationActivityDailySerializer(BaseSerializer):
    """How much was said on one day."""

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
        read_only_fields = fields


class ConversationActivityDailyViewSet(ReadOnlyTenantViewSet):
    """What was said by day, of all people together; computed once an hour."""

    serializer_class = ConversationActivityDailySerializer
    resource = "usage"
    filterset_fields = ("date",)
    ordering_fields = ("date", "conversations", "questions", "cost")
    ordering = "-date"
