"""Tool calls."""

from django.contrib import admin

from audit.admin.exports import AuditedExportMixin
from config.admin.bases import fieldset
from config.admin.filters import CreatedFilter
from conversations.admin.conversations import OwnConversationsAdmin
from conversations.models import McpToolExecution, ToolExecution


@admin.register(ToolExecution)
class ToolExecutionAdmin(AuditedExportMixin, OwnConversationsAdmin):
    """Tool calls in the user's conversations."""

    icon = "build"
    title = "Tool calls"
    position = 40
    list_display = ("created_at", "tool_name", "conversation", "agent", "status", "execution_time_ms")
    list_filter = (CreatedFilter, "status")
    search_fields = ("tool_name__exact", "conversation__id__exact")
    search_help_text = "Full tool name or conversation ID."
    fieldsets = (
        fieldset(None, "tool_name", ("conversation", "message", "agent"), ("status", "execution_time_ms")),
        fieldset("Call", "tool_input", "tool_output", "error_message"),
        fieldset("Times", ("started_at", "completed_at")),
        fieldset("Data", "metadata", collapse=True),
    )


@admin.register(McpToolExecution)
class McpToolExecutionAdmin(AuditedExportMixin, OwnConversationsAdmin):
    """MCP tool calls in the user's conversations."""

    icon = "dns"
    title = "MCP tool calls"
    position = 42
    list_display = (
        "created_at",
        "tool_name",
        "mcp_server",
        "conversation",
        "agent",
        "status",
        "execution_time_ms",
    )
    list_filter = (CreatedFilter, "status")
    search_fields = ("tool_name__exact", "conversation__id__exact")
    search_help_text = "Full tool name or conversation ID."
    fieldsets = (
        fieldset(
            None,
            ("tool_name", "mcp_server"),
            ("conversation", "message", "agent"),
            ("status", "execution_time_ms", "server_instance_id"),
        ),
        fieldset("Call", "parameters", "result", ("error_code", "error_message")),
        fieldset("Times", ("started_at", "completed_at")),
        fieldset("Data", "metadata", collapse=True),
    )
