"""Session states, session summaries and stream events in the API, for participants."""

from typing import Any

from config.api.serializers import BaseSerializer, ReadOnlySerializer
from config.api.viewsets import ReadOnlyTenantViewSet, UpdateMixin
from conversations.api.views import ConversationScopedMixin
from conversations.models import Conversation, SessionState, SessionSummary, StreamEvent


class SessionStateSerializer(ReadOnlySerializer):
    """State of a conversation between requests."""

    class Meta:
        model = SessionState
        fields = ("conversation", "mode", "phase", "interview_type", "state")


class SessionSummarySerializer(BaseSerializer):
    """Summary of a conversation; `session_rating` is the person's rating."""

    class Meta:
        model = SessionSummary
        fields = (
            "conversation",
            "user",
            "started_at",
            "ended_at",
            "message_count",
            "total_tokens_used",
            "conversation_domain",
            "summary",
            "model",
            "key_topics",
            "decisions_made",
            "user_preferences",
            "tools_used",
            "plans_created",
            "expert_questions_asked",
            "session_rating",
            "complexity_level",
            "resolution_status",
            "search_keywords",
            "follow_up_suggested",
            "follow_up_tasks",
        )
        read_only_fields = tuple(name for name in fields if name != "session_rating")


class StreamEventSerializer(ReadOnlySerializer):
    """A stream event of a conversation."""

    class Meta:
        model = StreamEvent
        fields = (
            "conversation",
            "answer_id",
            "sequence_number",
            "event_type",
            "phase",
            "expert_name",
            "message",
        )


class VisibleConversationMixin:
    """Limit rows to conversations that are visible to the user; one row per conversation."""

    def get_queryset(self) -> Any:
        conversations = Conversation.objects.visible_to(self.credential.user_id).order_by().values("pk")
        return super().get_queryset().filter(conversation__in=conversations)


class SessionStateViewSet(VisibleConversationMixin, ReadOnlyTenantViewSet):
    """Session states of your conversations."""

    serializer_class = SessionStateSerializer
    resource = "conversations"
    ordering_fields = ("created_at", "updated_at")


class SessionSummaryViewSet(VisibleConversationMixin, UpdateMixin, ReadOnlyTenantViewSet):
    """Summaries of your conversations. Only the rating can be changed."""

    serializer_class = SessionSummarySerializer
    resource = "conversations"
    ordering_fields = ("created_at", "updated_at", "started_at", "ended_at", "message_count")


class StreamEventViewSet(ConversationScopedMixin, ReadOnlyTenantViewSet):
    """Stream events of a conversation. Order by `sequence_number` to replay the stream."""

    serializer_class = StreamEventSerializer
    resource = "conversations"
    ordering_fields = ("created_at", "sequence_number")
