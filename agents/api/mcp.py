"""API resources for Model Context Protocol (MCP) servers."""

from typing import Any

from rest_framework import serializers

from agents.models import McpServer, McpServerConfig
from agents.services.mcp import config_errors, env_errors
from config.api.constraint_errors import DOES_NOT_EXIST
from config.api.serializers import BaseSerializer, ReadOnlySerializer, RelatedIdsField
from config.api.viewsets import ReadOnlyTenantViewSet, TenantViewSet


class McpServerSerializer(ReadOnlySerializer):
    """A registered MCP server, without the command that starts it."""

    class Meta:
        model = McpServer
        fields = (
            "name",
            "slug",
            "description",
            "version",
            "category",
            "server_type",
            "config_schema",
            "tool_definitions",
            "resource_definitions",
            "prompt_definitions",
            "refreshed_at",
            "status",
            "is_public",
            "documentation_url",
            "repository_url",
            "metadata",
        )


class McpServerConfigSerializer(BaseSerializer):
    """A tenant's configuration of a server; `config` and `env` are write-only."""

    allowed_users = RelatedIdsField(
        through="agents.McpServerUser",
        near="config",
        far="user",
        required=False,
        help_text="IDs of the users who can use it if `for_all_users` is false.",
    )

    class Meta:
        model = McpServerConfig
        fields = (
            "mcp_server",
            "enabled",
            "config",
            "env",
            "resource_limits",
            "for_all_users",
            "allowed_users",
            "created_by",
        )

    def validate(self, attrs: dict) -> dict:
        server = attrs.get("mcp_server_id") or (self.instance and self.instance.mcp_server_id)
        server_row = McpServer.objects.filter(pk=server).first()
        config = attrs.get("config", self.instance.config if self.instance else None)
        wrong = {
            "config": config_errors(server_row, config) if server_row else [],
            "env": env_errors(server_row, attrs.get("env")) if server_row else [],
        }
        if any(wrong.values()):
            raise serializers.ValidationError(
                {name: messages for name, messages in wrong.items() if messages}
            )
        return attrs

    def validate_mcp_server(self, value: Any) -> Any:
        if not McpServer.objects.filter(pk=value).exists():
            raise serializers.ValidationError(DOES_NOT_EXIST, code="does_not_exist")
        return value


class McpServerViewSet(ReadOnlyTenantViewSet):
    """MCP servers available to the tenant."""

    serializer_class = McpServerSerializer
    resource = "mcp-servers"
    ordering_fields = ("created_at", "updated_at", "name")


class McpServerConfigViewSet(TenantViewSet):
    """The tenant's MCP server configurations."""

    serializer_class = McpServerConfigSerializer
    resource = "mcp-servers"
    owner_field = "created_by_id"
