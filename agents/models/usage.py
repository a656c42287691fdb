"""Usage and cost of model calls."""

from django.db import models

from config.db.partitions import PartitionedMixin
from config.tenancy.models import PartitionedTimestampMixin, TenantModel


class LlmUsage(PartitionedTimestampMixin, PartitionedMixin, TenantModel):
    """One model call with tokens, cost in US dollars and latency. Stores plain IDs, since it outlives their rows."""

    audit_exempt = "a log itself, append-only for tenants"
    row_security = {"verbs": "SELECT, INSERT"}

    updated_at = None
    user_id = models.UUIDField(null=True, blank=True, help_text="Person it was for.")
    agent_id = models.UUIDField(null=True, blank=True, help_text="Agent that called.")
    integration_id = models.UUIDField(null=True, blank=True, help_text="Account used.")
    conversation_id = models.UUIDField(null=True, blank=True, help_text="Conversation it was for.")
    message_id = models.UUIDField(null=True, blank=True, help_text="Message it made.")
    flow_id = models.UUIDField(null=True, blank=True, help_text="Flow it was part of.")
    task_id = models.CharField(max_length=255, blank=True, default="", help_text="Task it was part of.")
    provider = models.CharField(max_length=50, help_text="Who ran the model.")
    model = models.CharField(max_length=100, help_text="The model.")
    prompt_tokens = models.PositiveIntegerField(default=0, help_text="Tokens sent.")
    completion_tokens = models.PositiveIntegerField(default=0, help_text="Tokens received.")
    total_tokens = models.GeneratedField(
        expression=models.F("prompt_tokens") + models.F("completion_tokens"),
        output_field=models.PositiveIntegerField(),
        db_persist=True,
        help_text="Tokens in all.",
    )
    prompt_cost = models.DecimalField(
        max_digits=12, decimal_places=6, default=0, help_text="US dollars, sent."
    )
    completion_cost = models.DecimalField(
        max_digits=12, decimal_places=6, default=0, help_text="US dollars, received."
    )
    total_cost = models.GeneratedField(
        expression=models.F("prompt_cost") + models.F("completion_cost"),
        output_field=models.DecimalField(max_digits=12, decimal_places=6),
        db_persist=True,
        help_text="US dollars in all.",
    )
    cost_known = models.BooleanField(default=True, help_text="Cleared: the model has no known price.")
    request_payload = models.JSONField(null=True, blank=True, help_text="What was sent, when kept.")
    response_payload = models.JSONField(null=True, blank=True, help_text="What came back, when kept.")
    latency_ms = models.PositiveIntegerField(null=True, blank=True, help_text="Milliseconds taken.")
    status_code = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="HTTP status of the provider."
    )
    error_message = models.TextField(blank=True, default="", help_text="Why it failed.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "-id"], name="agents_llmusage_latest"),
            models.Index(fields=["tenant", "agent_id", "-id"], name="agents_llmusage_agent"),
            models.Index(fields=["tenant", "provider", "model"], name="agents_llmusage_model"),
        ]

    def __str__(self) -> str:
        return f"{self.provider}:{self.model} {self.total_tokens} tokens"
