"""API resource for system prompts."""

from typing import Any

from rest_framework import serializers

from agents.models import PromptVersion, SystemPrompt
from config.api.serializers import BaseSerializer, ReadOnlySerializer
from config.api.viewsets import ReadOnlyTenantViewSet, TenantViewSet


class SystemPromptSerializer(BaseSerializer):
    """A factory default prompt, an organisation's override or a personal override."""

    for_everybody = serializers.BooleanField(
        write_only=True,
        default=False,
        help_text="Create the prompt for the whole organisation; requires the scope `agents:write`.",
    )

    class Meta:
        model = SystemPrompt
        fields = (
            "user",
            "for_everybody",
            "prompt_key",
            "prompt_category",
            "prompt_name",
            "description",
            "prompt_text",
            "variables",
            "is_factory_default",
            "is_active",
            "version",
            "change_note",
            "usage_count",
            "last_used_at",
            "average_satisfaction",
            "success_rate",
            "verdict_count",
        )


class SystemPromptViewSet(TenantViewSet):
    """Read-only factory prompts, the organisation's prompts and the caller's own prompts."""

    serializer_class = SystemPromptSerializer
    resource = "prompts"
    ordering_fields = ("created_at", "updated_at", "prompt_key", "prompt_name")

    def perform_create(self, serializer: BaseSerializer) -> Any:
        if serializer.validated_data.pop("for_everybody"):
            self.require("agents", "write")
            return serializer.save()
        return serializer.save(user_id=self.credential.user_id)

    def perform_update(self, serializer: BaseSerializer) -> None:
        serializer.validated_data.pop("for_everybody", None)
        self.require_right_to(serializer.instance)
        serializer.save()

    def perform_destroy(self, instance: Any) -> None:
        self.require_right_to(instance)
        instance.delete()

    def require_right_to(self, prompt: SystemPrompt) -> None:
        """Require `agents:write` for a prompt of the organisation.

        It changes the answers of every agent.
        """
        if prompt.tenant_id is not None and prompt.user_id is None:
            self.require("agents", "write")


class PromptVersionSerializer(ReadOnlySerializer):
    """The text of a prompt at one version."""

    class Meta:
        model = PromptVersion
        fields = ("prompt", "version", "prompt_text", "note", "user", "created_by_id")


class PromptVersionViewSet(ReadOnlyTenantViewSet):
    """Versions of the prompts that the caller can see."""

    serializer_class = PromptVersionSerializer
    resource = "prompts"
