"""Tool calls of agents."""

from django.db import models

from config.db.constraints import choices_constraint
from config.db.partitions import PartitionedMixin
from config.tenancy.models import MemberForeignKey, PartitionedTimestampMixin, TenantForeignKey
from conversations.bases import ConversationRowModel
from conversations.choices import ToolStatus


class ToolExecution(PartitionedTimestampMixin, PartitionedMixin, ConversationRowModel):
    """A tool call by an agent: input, output, status and duration."""

    audit_omit = ("tool_input", "tool_output", "metadata")

    conversation = TenantForeignKey(
        "conversations.Conversation",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="tool_executions",
        help_text="Conversation of the call.",
    )
    message = TenantForeignKey(
        "conversations.Message",
        models.DO_NOTHING,
        db_rule="CASCADE",
        null=True,
        blank=True,
        related_name="tool_executions",
        help_text="Message of the call.",
    )
    agent = TenantForeignKey(
        "agents.Agent",
        models.DO_NOTHING,
        db_rule="CASCADE",
        null=True,
        blank=True,
        related_name="+",
        help_text="Agent that made the call.",
    )
    tool_name = models.CharField(max_length=255, help_text="Name of the tool.")
    tool_input = models.JSONField(default=dict, help_text="Input.")
    tool_output = models.JSONField(null=True, blank=True, help_text="Output.")
    status = models.CharField(
        max_length=50, choices=ToolStatus, default=ToolStatus.PENDING, help_text="Status of the call."
    )
    call_id = models.CharField(
        max_length=255, blank=True, default="", help_text="ID that the model gave to the call."
    )
    decided_by = MemberForeignKey(
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        help_text="User who approved or denied the call, if approval was required.",
    )
    decided_at = models.DateTimeField(null=True, blank=True, help_text="Time of the decision.")
    error_message = models.TextField(blank=True, default="", help_text="Error message.")
    execution_time_ms = models.PositiveIntegerField(null=True, blank=True, help_text="Milliseconds.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Additional data as JSON.")
    started_at = models.DateTimeField(null=True, blank=True, help_text="Start time.")
    completed_at = models.DateTimeField(null=True, blank=True, help_text="End time.")

    class Meta(ConversationRowModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "conversation", "-id"], name="conversations_tool_conv"),
            models.Index(fields=["tenant", "message"], name="conversations_tool_message"),
            models.Index(fields=["tenant", "-started_at"], name="conversations_tool_started"),
            models.Index(fields=["tenant", "tool_name"], name="conversations_tool_name"),
            models.Index(fields=["tenant", "status"], name="conversations_tool_status"),
        ]
        constraints = [
            choices_constraint("status", ToolStatus.values, name="conversations_tool_status_known")
        ]

    def __str__(self) -> str:
        return f"{self.tool_name}: {self.status}"


class McpToolExecution(PartitionedTimestampMixin, PartitionedMixin, ConversationRowModel):
    """A call of an MCP server's tool: parameters, result, status and duration."""

    audit_omit = ("parameters", "result", "metadata")

    mcp_server = models.ForeignKey(
        "agents.McpServer", models.PROTECT, related_name="+", help_text="Server of the tool."
    )
    agent = TenantForeignKey(
        "agents.Agent",
        models.DO_NOTHING,
        db_rule="CASCADE",
        null=True,
        blank=True,
        related_name="+",
        help_text="Agent that made the call.",
    )
    conversation = TenantForeignKey(
        "conversations.Conversation",
        models.DO_NOTHING,
        db_rule="CASCADE",
        null=True,
        blank=True,
        related_name="mcp_tool_executions",
        help_text="Conversation of the call. Empty: a direct call by a client.",
    )
    message = TenantForeignKey(
        "conversations.Message",
        models.DO_NOTHING,
        db_rule="CASCADE",
        null=True,
        blank=True,
        related_name="mcp_tool_executions",
        help_text="Message of the call.",
    )
    tool_name = models.CharField(max_length=255, help_text="Name of the tool.")
    parameters = models.JSONField(default=dict, blank=True, help_text="Parameters.")
    result = models.JSONField(null=True, blank=True, help_text="Result of the call.")
    status = models.CharField(
        max_length=50, choices=ToolStatus, default=ToolStatus.PENDING, help_text="Status of the call."
    )
    error_message = models.TextField(blank=True, default="", help_text="Error message.")
    error_code = models.CharField(max_length=50, blank=True, default="", help_text="Error code.")
    execution_time_ms = models.PositiveIntegerField(null=True, blank=True, help_text="Milliseconds.")
    server_instance_id = models.CharField(
        max_length=255, blank=True, default="", help_text="Server process that answered."
    )
    metadata = models.JSONField(default=dict, blank=True, help_text="Additional data as JSON.")
    started_at = models.DateTimeField(null=True, blank=True, help_text="Start time.")
    completed_at = models.DateTimeField(null=True, blank=True, help_text="End time.")

    class Meta(ConversationRowModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "conversation", "-id"], name="conversations_mcptool_conv"),
            models.Index(fields=["tenant", "message"], name="conversations_mcptool_message"),
            models.Index(fields=["tenant", "tool_name"], name="conversations_mcptool_name"),
            models.Index(fields=["tenant", "status"], name="conversations_mcptool_status"),
            models.Index(fields=["tenant", "-started_at"], name="conversations_mcptool_started"),
        ]
        constraints = [
            choices_constraint("status", ToolStatus.values, name="conversations_mcptool_status_known"),
            models.CheckConstraint(
                condition=models.Q(message=None) | models.Q(conversation__isnull=False),
                name="conversations_mcptool_message_of",
                violation_error_message="A message requires a conversation.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tool_name}: {self.status}"
