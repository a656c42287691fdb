"""API resource for agent runs."""

from typing import Any

from agents.models import AgentRun
from config.api.serializers import ReadOnlySerializer
from config.api.viewsets import ReadOnlyTenantViewSet


class AgentRunSerializer(ReadOnlySerializer):
    """One execution of an agent."""

    class Meta:
        model = AgentRun
        fields = (
            "agent_id",
            "user_id",
            "conversation_id",
            "message_id",
            "meeting_id",
            "agent_version",
            "prompt",
            "response",
            "status",
            "error_message",
            "execution_time_ms",
            "tokens_used",
            "model_calls",
            "retry_count",
            "cost",
            "memory_used_mb",
        )


class AgentRunViewSet(ReadOnlyTenantViewSet):
    """The caller's own agent runs. No other user can read their prompts and responses."""

    serializer_class = AgentRunSerializer
    resource = "conversations"

    def get_queryset(self) -> Any:
        return super().get_queryset().filter(user_id=self.credential.user_id)
