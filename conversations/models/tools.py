"""Tool calls of agents."""

from django.db import models

from config.db.partitions import PartitionedMixin
from config.tenancy.models import MemberForeignKey, PartitionedTimestampMixin, TenantForeignKey, TenantModel
from conversations.choices import ToolStatus


class ToolExecution(PartitionedTimestampMixin, PartitionedMixin, TenantModel):
    """One call of a tool by an agent: input, output, outcome, time."""

    audit_omit = ("tool_input", "tool_output", "metadata")

    conversation = TenantForeignKey(
        "conversations.Conversation",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="tool_executions",
        help_text="Conversation it happened in.",
    )
    message = TenantForeignKey(
        "conversations.Message",
        models.DO_NOTHING,
        db_rule="CASCADE",
        null=True,
        blank=True,
        related_name="tool_executions",
        help_text="Message that it served.",
    )
    agent = TenantForeignKey(
        "agents.Agent",
        models.DO_NOTHING,
        db_rule="CASCADE",
        null=True,
        blank=True,
        related_name="+",
        help_text="Agent that called.",
    )
    tool_name = models.CharField(max_length=255, help_text="The tool.")
    tool_input = models.JSONField(default=dict, help_text="What it was given.")
    tool_output = models.JSONField(null=True, blank=True, help_text="What it returned.")
    status = models.CharField(
        max_length=50, choices=ToolStatus, default=ToolStatus.PENDING, help_text="How far it is."
    )
    call_id = models.CharField(
        max_length=255, blank=True, default="", help_text="The model's own id of the call."
    )
    decided_by = MemberForeignKey(
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        help_text="Person who allowed or refused it, where it waited for one.",
    )
    decided_at = models.DateTimeField(null=True, blank=True, help_text="When that was decided.")
    error_message = models.TextField(blank=True, default="", help_text="Why it failed.")
    execution_time_ms = models.PositiveIntegerField(null=True, blank=True, help_text="Milliseconds taken.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Free data.")
    started_at = models.DateTimeField(null=True, blank=True, help_text="When it began.")
    completed_at = models.DateTimeField(null=True, blank=True, help_text="When it ended.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "conversation", "-id"], name="conversations_tool_conv"),
            models.Index(fields=["tenant", "message"], name="conversations_tool_message"),
            models.Index(fields=["tenant", "-started_at"], name="conversations_tool_started"),
            models.Index(fields=["tenant", "tool_name"], name="conversations_tool_name"),
            models.Index(fields=["tenant", "status"], name="conversations_tool_status"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=ToolStatus.values), name="conversations_tool_status_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.tool_name}: {self.status}"


class McpToolExecution(PartitionedTimestampMixin, PartitionedMixin, TenantModel):
    """One call of a tool of an MCP server: parameters, result, outcome, time."""

    audit_omit = ("parameters", "result", "metadata")

    mcp_server = models.ForeignKey(
        "agents.McpServer", models.PROTECT, related_name="+", help_text="Server that has the tool."
    )
    agent = TenantForeignKey(
        "agents.Agent",
        models.DO_NOTHING,
        db_rule="CASCADE",
        null=True,
        blank=True,
        related_name="+",
        help_text="Agent that called.",
    )
    conversation = TenantForeignKey(
        "conversations.Conversation",
        models.DO_NOTHING,
        db_rule="CASCADE",
        null=True,
        blank=True,
        related_name="mcp_tool_executions",
        help_text="Conversation it happened in; empty: called by a client directly.",
    )
    message = TenantForeignKey(
        "conversations.Message",
        models.DO_NOTHING,
        db_rule="CASCADE",
        null=True,
        blank=True,
        related_name="mcp_tool_executions",
        help_text="Message that it served.",
    )
    tool_name = models.CharField(max_length=255, help_text="The tool.")
    parameters = models.JSONField(default=dict, blank=True, help_text="What it was given.")
    result = models.JSONField(null=True, blank=True, help_text="What it returned.")
    status = models.CharField(
        max_length=50, choices=ToolStatus, default=ToolStatus.PENDING, help_text="How far it is."
    )
    error_message = models.TextField(blank=True, default="", help_text="Why it failed.")
    error_code = models.CharField(max_length=50, blank=True, default="", help_text="Kind of failure.")
    execution_time_ms = models.PositiveIntegerField(null=True, blank=True, help_text="Milliseconds taken.")
    server_instance_id = models.CharField(
        max_length=255, blank=True, default="", help_text="Running instance of the server that answered."
    )
    metadata = models.JSONField(default=dict, blank=True, help_text="Free data.")
    started_at = models.DateTimeField(null=True, blank=True, help_text="When it began.")
    completed_at = models.DateTimeField(null=True, blank=True, help_text="When it ended.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "conversation", "-id"], name="conversations_mcptool_conv"),
            models.Index(fields=["tenant", "message"], name="conversations_mcptool_message"),
            models.Index(fields=["tenant", "tool_name"], name="conversations_mcptool_name"),
            models.Index(fields=["tenant", "status"], name="conversations_mcptool_status"),
            models.Index(fields=["tenant", "-started_at"], name="conversations_mcptool_started"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=ToolStatus.values), name="conversations_mcptool_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(message=None) | models.Q(conversation__isnull=False),
                name="conversations_mcptool_message_of",
                violation_error_message="A message stands in a conversation: name that too.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tool_name}: {self.status}"
