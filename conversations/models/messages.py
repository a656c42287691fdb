"""Messages, attachments and message embeddings."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from pgvector.django import HalfVectorField, HnswIndex

from config.db.constraints import SameTenant, choices_constraint
from config.db.partitions import PartitionedMixin
from config.tenancy.models import MemberForeignKey, PartitionedTimestampMixin, TenantForeignKey
from conversations.bases import ConversationRowModel
from conversations.choices import MessageFeedback, MessageRole, MessageStatus


class Message(PartitionedTimestampMixin, PartitionedMixin, ConversationRowModel):
    """A message of a conversation. The audit log omits its text, because it has more readers."""

    audit_omit = ("content", "citations", "tool_calls", "tool_results", "metadata")

    conversation = TenantForeignKey(
        "conversations.Conversation",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="messages",
        help_text="The conversation.",
    )
    sequence_number = models.PositiveIntegerField(help_text="Position, starting at 1.")
    role = models.CharField(max_length=20, choices=MessageRole, help_text="Author's role.")
    content = models.TextField(blank=True, default="", help_text="Text of the message.")
    status = models.CharField(
        max_length=20,
        choices=MessageStatus,
        default=MessageStatus.COMPLETED,
        help_text="Status of the message.",
    )
    error_code = models.CharField(max_length=50, blank=True, default="", help_text="Error code.")
    error_message = models.TextField(blank=True, default="", help_text="Error message.")
    citations = models.JSONField(default=list, blank=True, help_text="Cited passages.")
    user = MemberForeignKey(models.DO_NOTHING, db_rule="SET NULL", null=True, help_text="Author.")
    agent = TenantForeignKey(
        "agents.Agent",
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        related_name="+",
        help_text="Agent that wrote the message.",
    )
    reply_to_id = models.UUIDField(null=True, blank=True, help_text="Message that it answers.")
    replaces_id = models.UUIDField(
        null=True, blank=True, help_text="Message that this one replaces in the fork."
    )
    feedback = models.CharField(
        max_length=20, choices=MessageFeedback, blank=True, default="", help_text="User feedback."
    )
    model = models.CharField(max_length=100, blank=True, default="", help_text="Model.")
    token_count = models.PositiveIntegerField(default=0, db_default=0, help_text="Tokens used.")
    cost = models.DecimalField(
        max_digits=12, decimal_places=6, default=0, db_default=0, help_text="Cost (US dollars)."
    )
    latency_ms = models.PositiveIntegerField(null=True, blank=True, help_text="Latency, milliseconds.")
    tool_calls = models.JSONField(default=list, blank=True, help_text="Requested tool calls.")
    tool_results = models.JSONField(default=list, blank=True, help_text="Results of the calls.")
    tool_used = models.CharField(max_length=255, blank=True, default="", help_text="Main tool used.")
    plan_step = models.PositiveIntegerField(null=True, blank=True, help_text="Step of the plan.")
    conversation_domain = models.CharField(
        max_length=255, blank=True, default="", help_text="Classified subject."
    )
    confidence_score = models.FloatField(null=True, blank=True, help_text="Confidence, from 0 to 1.")
    embedding_model_used = models.CharField(
        max_length=100, blank=True, default="", help_text="Embedding model."
    )
    metadata = models.JSONField(default=dict, db_default={}, blank=True, help_text="Additional data as JSON.")

    class Meta(ConversationRowModel.Meta):
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
            choices_constraint("role", MessageRole.values),
            choices_constraint("status", MessageStatus.values),
            choices_constraint("feedback", ["", *MessageFeedback.values]),
        ]

    def __str__(self) -> str:
        return f"{self.role} #{self.sequence_number}"


class Attachment(ConversationRowModel):
    """A file attached to a message. The audit log omits its name, because it has more readers."""

    audit_redact = ("filename", "storage_path", "metadata")
    audit_omit = ("text",)

    conversation = TenantForeignKey(
        "conversations.Conversation",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="attachments",
        help_text="The conversation.",
    )
    message = TenantForeignKey(
        Message,
        models.DO_NOTHING,
        db_rule="CASCADE",
        null=True,
        blank=True,
        related_name="attachments",
        help_text="Message of the attachment. Empty: not yet used.",
    )
    filename = models.CharField(max_length=500, help_text="Name of the file.")
    media_type = models.CharField(max_length=100, blank=True, default="", help_text="Media type.")
    file_size = models.PositiveBigIntegerField(default=0, help_text="File size in bytes.")
    checksum = models.CharField(max_length=64, blank=True, default="", help_text="SHA-256 of the file.")
    storage_path = models.CharField(max_length=1024, help_text="Path of the stored file.")
    text = models.TextField(blank=True, default="", editable=False, help_text="Extracted text.")
    user = MemberForeignKey(help_text="User who uploaded the file.", editable=False)
    metadata = models.JSONField(default=dict, blank=True, help_text="Additional data as JSON.")

    class Meta(ConversationRowModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "conversation", "-id"], name="conversations_attach_conv"),
            models.Index(fields=["tenant", "message"], name="conversations_attach_message"),
        ]

    def __str__(self) -> str:
        return self.filename


class MessageEmbedding(PartitionedTimestampMixin, PartitionedMixin, ConversationRowModel):
    """Search data of a message in a separate table; `id` is the message's, so that they expire together.

    Each vector dimension has its own column. Short vectors are stored in the row, which makes comparing all vectors of
    a user several times faster than with long vectors, which are stored out of line.
    """

    audit_exempt = "derived from messages, which are audited"

    updated_at = None
    id = models.UUIDField(primary_key=True, editable=False, help_text="ID of the message.")
    conversation = TenantForeignKey(
        "conversations.Conversation",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="+",
        help_text="Conversation of the message.",
    )
    embedding_model = models.CharField(max_length=100, help_text="Embedding model of the vector.")
    embedding = HalfVectorField(
        dimensions=1536, null=True, blank=True, help_text="Vector with 1,536 dimensions."
    )
    embedding_384 = HalfVectorField(
        dimensions=384, null=True, blank=True, help_text="Vector with 384 dimensions."
    )
    words = SearchVectorField(null=True, blank=True, editable=False, help_text="Full-text vector.")

    class Meta(ConversationRowModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "conversation"], name="conversations_vector_conv"),
            HnswIndex(
                fields=["embedding"],
                opclasses=["halfvec_cosine_ops"],
                m=16,
                ef_construction=64,
                name="conversations_vector_hnsw",
            ),
        ]
        constraints = [
            SameTenant(
                field="id",
                name="conversations_vector_message",
                target="conversations.Message",
                column="id",
                on_delete="CASCADE",
            ),
            models.CheckConstraint(
                condition=models.Q(embedding=None, embedding_384__isnull=False)
                | models.Q(embedding__isnull=False, embedding_384=None),
                name="conversations_vector_one_of",
                violation_error_message="Store one vector, with 384 or 1,536 dimensions.",
            ),
        ]

    def __str__(self) -> str:
        return f"vector of message {self.pk}"
