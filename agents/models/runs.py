"""Executions of agents."""

from django.db import models

from agents.choices import RunStatus
from config.db.constraints import choices_constraint
from config.db.partitions import PartitionedMixin
from config.tenancy.models import PartitionedTimestampMixin, TenantModel


class AgentRun(PartitionedTimestampMixin, PartitionedMixin, TenantModel):
    """One answer of an agent. Stores plain IDs, because it outlives the rows it refers to.

    Its ID is that of the answer, unless the answer is older than the partitions that are certain to exist.
    """

    audit_exempt = "itself a log, append-only for tenants"
    row_security = {"verbs": "SELECT, INSERT"}

    updated_at = None
    agent_id = models.UUIDField(help_text="The agent.")
    user_id = models.UUIDField(null=True, blank=True, help_text="User who started the run.")
    conversation_id = models.UUIDField(null=True, blank=True, help_text="Conversation of the run.")
    message_id = models.UUIDField(null=True, blank=True, help_text="The answer.")
    meeting_id = models.UUIDField(
        null=True, blank=True, help_text="Question of the meeting that the answer contributes to."
    )
    agent_version = models.PositiveIntegerField(null=True, blank=True, help_text="Version of the agent.")
    prompt = models.TextField(blank=True, default="", help_text="Input, as the organisation stores it.")
    response = models.TextField(blank=True, default="", help_text="Output, as the organisation stores it.")
    status = models.CharField(
        max_length=20, choices=RunStatus, default=RunStatus.COMPLETED, help_text="Result of the run."
    )
    error_message = models.TextField(blank=True, default="", help_text="Error message.")
    execution_time_ms = models.PositiveIntegerField(null=True, blank=True, help_text="Milliseconds.")
    tokens_used = models.PositiveIntegerField(null=True, blank=True, help_text="Tokens used.")
    model_calls = models.PositiveIntegerField(null=True, blank=True, help_text="Requests to models.")
    retry_count = models.PositiveIntegerField(
        null=True, blank=True, help_text="Failed requests to models and resumptions after a crash."
    )
    cost = models.DecimalField(
        max_digits=12, decimal_places=6, null=True, blank=True, help_text="Cost in US dollars."
    )
    memory_used_mb = models.FloatField(
        null=True, blank=True, help_text="Peak memory of the process that ran it, in megabytes."
    )

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "agent_id", "-id"], name="agents_agentrun_agent"),
            models.Index(fields=["tenant", "user_id", "-id"], name="agents_agentrun_user"),
            models.Index(fields=["tenant", "conversation_id"], name="agents_agentrun_conversation"),
            models.Index(fields=["tenant", "status"], name="agents_agentrun_status"),
        ]
        constraints = [choices_constraint("status", RunStatus.values)]

    def __str__(self) -> str:
        return f"run of {self.agent_id}: {self.status}"
