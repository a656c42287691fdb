"""Serializers for agents, versions, integrations and model usage."""

from typing import Any

from rest_framework import serializers

from agents.choices import validate_tools
from agents.models import Agent, AgentVersion, Integration, LlmUsage
from config.api.serializers import (
    BaseSerializer,
    ObjectField,
    ReadOnlySerializer,
    RelatedIdsField,
    TextListField,
)


class ToolListField(TextListField):
    """A list of tool names."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validators=[validate_tools], **kwargs)


class IntegrationSerializer(BaseSerializer):
    """A provider account; its credentials are write-only."""

    class Meta:
        model = Integration
        fields = (
            "name",
            "platform",
            "base_url",
            "credentials",
            "status",
            "last_sync_at",
            "last_error",
            "failure_count",
            "paused_until",
            "offered_models",
            "usage_stats",
            "config",
            "user",
        )


class AgentSerializer(BaseSerializer):
    """An agent with its settings and the IDs of the collections it searches."""

    collections = RelatedIdsField(
        through="agents.AgentCollection",
        near="agent",
        far="collection",
        required=False,
        help_text="IDs of the collections the agent searches.",
    )
    capabilities = TextListField(required=False, help_text="Labels that describe what the agent can do.")
    tools = ToolListField(required=False, help_text="Tools it may call besides knowledge search.")
    approvals = ToolListField(required=False, help_text="Tools whose calls require a person's approval.")
    tags = TextListField(required=False, help_text="Tags for filtering.")

    class Meta:
        model = Agent
        fields = (
            "name",
            "slug",
            "description",
            "model_provider",
            "model_name",
            "integration",
            "temperature",
            "max_tokens",
            "system_prompt",
            "capabilities",
            "tools",
            "approvals",
            "tool_timeout",
            "prompt_key",
            "template_id",
            "collections",
            "timeout",
            "max_iterations",
            "memory_enabled",
            "status",
            "version",
            "tags",
            "config",
            "metadata",
            "created_by",
        )


class AgentVersionSerializer(ReadOnlySerializer):
    """A published version of an agent, with a snapshot of its settings."""

    class Meta:
        model = AgentVersion
        fields = ("agent", "version", "snapshot", "note", "created_by")


class PublishSerializer(serializers.Serializer):
    """Parameters for publishing a version."""

    note = serializers.CharField(
        max_length=500, required=False, allow_blank=True, default="", help_text="Description of what changed."
    )


class RestoreSerializer(serializers.Serializer):
    """Parameters for restoring a version."""

    version = serializers.IntegerField(
        min_value=1, max_value=2**31 - 1, help_text="Number of the version to restore."
    )


class ChangeSerializer(serializers.Serializer):
    """One changed setting."""

    field = serializers.CharField(help_text="Name of the setting.")
    before = serializers.JSONField(allow_null=True, help_text="Value before the change.")
    after = serializers.JSONField(allow_null=True, help_text="Value after the change.")


class PayloadsSerializer(serializers.Serializer):
    """Payloads of a call to a model, null if they are not stored."""

    request_payload = ObjectField(allow_null=True, help_text="Model, settings and messages sent.")
    response_payload = ObjectField(allow_null=True, help_text="Message received.")


class LlmUsageSerializer(ReadOnlySerializer):
    """One call to a model."""

    class Meta:
        model = LlmUsage
        fields = (
            "user_id",
            "agent_id",
            "integration_id",
            "conversation_id",
            "message_id",
            "flow_id",
            "task_id",
            "feature_context",
            "provider",
            "model",
            "prompt_tokens",
            "completion_tokens",
            "total_tokens",
            "prompt_cost",
            "completion_cost",
            "total_cost",
            "cost_known",
            "latency_ms",
            "status_code",
            "error_message",
        )
