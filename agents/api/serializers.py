"""Agents in the API."""

from typing import Any

from rest_framework import serializers

from agents.choices import validate_tools
from agents.models import Agent, AgentVersion, Integration, LlmUsage
from config.api.serializers import HouseSerializer, RelatedIdsField, TextListField


class ToolListField(TextListField):
    """A list of names of tools."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validators=[validate_tools], **kwargs)


class IntegrationSerializer(HouseSerializer):
    """An account at a provider; its credentials go in and never come out."""

    class Meta:
        model = Integration
        fields = (
            "id",
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
            "created_at",
            "updated_at",
        )


class AgentSerializer(HouseSerializer):
    """An agent with its settings; `collections` are the ids of what it may search."""

    collections = RelatedIdsField(
        through="agents.AgentCollection",
        near="agent",
        far="collection",
        required=False,
        help_text="Ids of the collections it answers from.",
    )
    capabilities = TextListField(required=False, help_text="What it can do, as labels.")
    tools = ToolListField(required=False, help_text="Tools it may call besides searching.")
    approvals = ToolListField(required=False, help_text="Tools whose calls wait for a person's leave.")
    tags = TextListField(required=False, help_text="Labels to find it by.")

    class Meta:
        model = Agent
        expandable = {"integration": IntegrationSerializer}
        fields = (
            "id",
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
            "created_at",
            "updated_at",
        )


class AgentVersionSerializer(HouseSerializer):
    """How an agent was set up when it was published."""

    class Meta:
        model = AgentVersion
        expandable = {"agent": AgentSerializer}
        fields = ("id", "agent", "version", "snapshot", "note", "created_by", "created_at")
        read_only_fields = fields


class PublishSerializer(serializers.Serializer):
    """What to say about a new version."""

    note = serializers.CharField(
        max_length=500, required=False, allow_blank=True, default="", help_text="What changed, in words."
    )


class RestoreSerializer(serializers.Serializer):
    """Which version is wanted back."""

    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1, help_text="Its number.")


class ChangeSerializer(serializers.Serializer):
    """One setting that differs."""

    field = serializers.CharField(help_text="The setting.")
    before = serializers.JSONField(allow_null=True, help_text="What it was.")
    after = serializers.JSONField(allow_null=True, help_text="What it is.")


class LlmUsageSerializer(HouseSerializer):
    """One call to a model."""

    class Meta:
        model = LlmUsage
        fields = (
            "id",
            "user_id",
            "agent_id",
            "integration_id",
            "conversation_id",
            "message_id",
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
            "created_at",
        )
        read_only_fields = fields
