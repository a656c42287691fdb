"""What was said."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models

from config.db.partitions import Partitioned
from conversations.choices import MessageRole, MessageStatus
from tenants.bases import Grown, MemberForeignKey, TenantForeignKey, TenantModel


class Message(Grown, Partitioned, TenantModel):
    """One turn of a conversation. What it says stays out of the audit log, which more people read."""

    audit_omit = ("content", "citations", "tool_calls", "tool_results", "metadata")

    conversation = TenantForeignKey(
        "conversations.Conversation",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="messages",
        help_text="The conversation.",
    )
    sequence_number = models.PositiveIntegerField(help_text="Place in the conversation, from 1.")
    role = models.CharField(max_length=20, choices=MessageRole, help_text="Who speaks.")
    content = models.TextField(blank=True, default="", help_text="What was said.")
    status = models.CharField(
        max_length=20,
        choices=MessageStatus,
        default=MessageStatus.COMPLETED,
        help_text="Whether it is complete.",
    )
    error_code = models.CharField(max_length=50, blank=True, default="", help_text="Kind of failure.")
    error_message = models.TextField(blank=True, default="", help_text="Why it failed.")
    citations = models.JSONField(default=list, blank=True, help_text="Passages the answer rests on.")
    user = MemberForeignKey(models.DO_NOTHING, db_rule="SET NULL", null=True, help_text="Person who said it.")
    agent = TenantForeignKey(
        "agents.Agent",
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        related_name="+",
        help_text="Agent that said it.",
    )
    reply_to_id = models.UUIDField(null=True, blank=True, help_text="Message it answers.")
    model = models.CharField(max_length=100, blank=True, default="", help_text="Model that made it.")
    token_count = models.PositiveIntegerField(default=0, help_text="Tokens used for it.")
    cost = models.DecimalField(max_digits=12, decimal_places=6, default=0, help_text="US dollars.")
    latency_ms = models.PositiveIntegerField(null=True, blank=True, help_text="Milliseconds to make it.")
    tool_calls = models.JSONField(default=list, blank=True, help_text="Tools it asked for.")
    tool_results = models.JSONField(default=list, blank=True, help_text="What they returned.")
    tool_used = models.CharField(max_length=255, blank=True, default="", help_text="Main tool used.")
    plan_step = models.PositiveIntegerField(
        null=True, blank=True, help_text="Step of the plan it belongs to."
    )
    conversation_domain = models.CharField(
        max_length=255, blank=True, default="", help_text="Subject, classified."
    )
    confidence_score = models.FloatField(null=True, blank=True, help_text="Confidence, from 0 to 1.")
    embedding_model_used = models.CharField(
        max_length=100, blank=True, default="", help_text="Embedder used."
    )
    metadata = models.JSONField(default=dict, blank=True, help_text="Free data.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(
                fields=["tenant", "conversation", "sequence_number"], name="conversations_message_order"
            ),
            models.Index(fields=["tenant", "conversation", "-id"], name="conversations_message_latest"),
            GinIndex(fields=["metadata"], name="conversations_message_metadata"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(confidence_score=None) | models.Q(confidence_score__range=(0, 1)),
                name="conversations_message_confidence",
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=MessageRole.values), name="conversations_message_role_known"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=MessageStatus.values), name="conversations_message_status_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} #{self.sequence_number}"
