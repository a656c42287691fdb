"""Executions of agents."""

from django.db import models

from agents.choices import RunStatus
from config.db.constraints import choices_constraint
from config.db.partitions import PartitionedMixin
from config.tenancy.models import PartitionedTimestampMixin, TenantModel


class AgentRun(PartitionedTimestampMixin, PartitionedMixin, TenantModel):
    """One execution of an agent. Stores plain IDs, because it outlives the rows it refers to."""

    audit_exempt = "itself a log, append-only for tenants"
    row_security = {"verbs": "SELECT, INSERT"}

    updated_at = None
    agent_id = models.UUIDField(help_text="The agent.")
    user_id = models.UUIDField(null=True, blank=True, help_text="User who started the run.")
    conversation_id = models.UUIDField(null=True, blank=True, help_text="Conversation of the run.")
    prompt = models.TextField(blank=True, default="", help_text="Input.")
    response = models.TextField(blank=True, default="", help_text="Output.")
    status = models.CharField(
        max_length=20, choices=RunStatus, default=RunStatus.COMPLETED, help_text="Result of the run."
    )
    error_message = models.TextField(blank=True, default="", help_text="Error message.")
    execution_time_ms = models.PositiveIntegerField(null=True, blank=True, help_text="Milliseconds.")
    tokens_used = models.PositiveIntegerField(null=True, blank=True, help_text="Tokens used.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "agent_id", "-id"], name="agents_agentrun_agent"),
            models.Index(fields=["tenant", "user_id", "-id"], name="agents_agentrun_user"),
            models.Index(fields=["tenant", "status"], name="agents_agentrun_status"),
        ]
        constraints = [choices_constraint("status", RunStatus.values)]

    def __str__(self) -> str:
        return f"run of {self.agent_id}: {self.status}"
