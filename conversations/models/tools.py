"""What agents did besides talking."""

from django.db import models

from config.db.partitions import Partitioned
from conversations.choices import ToolStatus
from tenants.bases import Grown, TenantForeignKey, TenantModel


class ToolExecution(Grown, Partitioned, TenantModel):
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
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=ToolStatus.values), name="conversations_tool_status_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.tool_name}: {self.status}"
