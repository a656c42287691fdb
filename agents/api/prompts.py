"""Prompts in the API."""

from agents.models import SystemPrompt
from config.api.serializers import HouseSerializer
from config.api.viewsets import TenantViewSet


class SystemPromptSerializer(HouseSerializer):
    """A prompt of the platform's, or one's own in its place."""

    class Meta:
        model = SystemPrompt
        fields = (
            "id",
            "user",
            "prompt_key",
            "prompt_category",
            "prompt_name",
            "description",
            "prompt_text",
            "variables",
            "is_factory_default",
            "is_active",
            "version",
            "usage_count",
            "last_used_at",
            "average_satisfaction",
            "success_rate",
            "created_at",
            "updated_at",
        )


class SystemPromptViewSet(TenantViewSet):
    """The factory's prompts, which nobody here changes, and the asking person's own."""

    serializer_class = SystemPromptSerializer
    resource = "prompts"
    filterset_fields = ("prompt_key", "prompt_category", "is_factory_default", "is_active")
    ordering_fields = ("created_at", "updated_at", "prompt_key", "prompt_name")
    owner_field = "user_id"
