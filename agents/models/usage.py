"""Usage and cost of model calls."""

from django.db import models

from agents.choices import UsageFeature
from config.db.partitions import PartitionedMixin
from config.tenancy.models import PartitionedTimestampMixin, TenantModel


class LlmUsage(PartitionedTimestampMixin, PartitionedMixin, TenantModel):
    """One model call with tokens, cost in US dollars and latency. Stores plain IDs, because it outlives their rows."""

    audit_exempt = "itself a log, append-only for tenants"
    row_security = {"verbs": "SELECT, INSERT"}

    updated_at = None
    user_id = models.UUIDField(null=True, blank=True, help_text="User who caused the call.")
    agent_id = models.UUIDField(null=True, blank=True, help_text="Agent that made the call.")
    integration_id = models.UUIDField(null=True, blank=True, help_text="Provider account used.")
    conversation_id = models.UUIDField(null=True, blank=True, help_text="Conversation of the call.")
    message_id = models.UUIDField(null=True, blank=True, help_text="Message it produced.")
    flow_id = models.UUIDField(null=True, blank=True, help_text="Flow of the call.")
    task_id = models.CharField(max_length=255, blank=True, default="", help_text="Task of the call.")
    feature_context = models.CharField(
        max_length=50,
        choices=UsageFeature,
        blank=True,
        db_default="",
        help_text="What the model was called for.",
    )
    provider = models.CharField(max_length=50, help_text="Model provider.")
    model = models.CharField(max_length=100, help_text="Model name.")
    prompt_tokens = models.PositiveIntegerField(default=0, help_text="Input tokens.")
    completion_tokens = models.PositiveIntegerField(default=0, help_text="Output tokens.")
    total_tokens = models.GeneratedField(
        expression=models.F("prompt_tokens") + models.F("completion_tokens"),
        output_field=models.PositiveIntegerField(),
        db_persist=True,
        help_text="Sum of input and output tokens.",
    )
    prompt_cost = models.DecimalField(
        max_digits=12, decimal_places=6, default=0, help_text="Input cost in US dollars."
    )
    completion_cost = models.DecimalField(
        max_digits=12, decimal_places=6, default=0, help_text="Output cost in US dollars."
    )
    total_cost = models.GeneratedField(
        expression=models.F("prompt_cost") + models.F("completion_cost"),
        output_field=models.DecimalField(max_digits=12, decimal_places=6),
        db_persist=True,
        help_text="Total cost in US dollars.",
    )
    cost_known = models.BooleanField(default=True, help_text="Whether the model has a price.")
    request_payload = models.JSONField(
        null=True, blank=True, help_text="Messages sent, as the organisation stores them."
    )
    response_payload = models.JSONField(
        null=True, blank=True, help_text="Message received, as the organisation stores it."
    )
    latency_ms = models.PositiveIntegerField(null=True, blank=True, help_text="Milliseconds.")
    status_code = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="HTTP status of the provider."
    )
    error_message = models.TextField(blank=True, default="", help_text="Error message.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "-id"], name="agents_llmusage_latest"),
            models.Index(fields=["tenant", "agent_id", "-id"], name="agents_llmusage_agent"),
            models.Index(fields=["tenant", "provider", "model"], name="agents_llmusage_model"),
            # For erasing the payloads of a conversation; most rows have none.
            models.Index(
                fields=["tenant", "conversation_id"],
                name="agents_llmusage_payload",
                condition=models.Q(request_payload__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider}:{self.model} {self.total_tokens} tokens"
