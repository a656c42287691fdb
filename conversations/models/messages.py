"""Messages, attachments and message embeddings."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from pgvector.django import HalfVectorField, HnswIndex

from config.db.constraints import SameTenant
from config.db.partitions import PartitionedMixin
from config.tenancy.models import MemberForeignKey, PartitionedTimestampMixin, TenantForeignKey, TenantModel
from conversations.choices import MessageFeedback, MessageRole, MessageStatus


class Message(PartitionedTimestampMixin, PartitionedMixin, TenantModel):
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
    replaces_id = models.UUIDField(
        null=True, blank=True, help_text="Message of the branch before that it is said instead of."
    )
    feedback = models.CharField(
        max_length=20, choices=MessageFeedback, blank=True, default="", help_text="A person's verdict on it."
    )
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
            models.CheckConstraint(
                condition=models.Q(feedback__in=["", *MessageFeedback.values]),
                name="conversations_message_feedback_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} #{self.sequence_number}"


class Attachment(TenantModel):
    """A file that belongs to a message. Its name stays out of the audit log, which more people read."""

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
        help_text="The message it came with; empty: it waits for one.",
    )
    filename = models.CharField(max_length=500, help_text="Name of the file.")
    media_type = models.CharField(max_length=100, blank=True, default="", help_text="Media type.")
    file_size = models.PositiveBigIntegerField(default=0, help_text="Bytes.")
    checksum = models.CharField(max_length=64, blank=True, default="", help_text="SHA-256 of the file.")
    storage_path = models.CharField(max_length=1024, help_text="Where the file is kept.")
    text = models.TextField(blank=True, default="", editable=False, help_text="Its text, as agents read it.")
    user = MemberForeignKey(help_text="Who brought it.", editable=False)
    metadata = models.JSONField(default=dict, blank=True, help_text="Free data.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "conversation", "-id"], name="conversations_attach_conv"),
            models.Index(fields=["tenant", "message"], name="conversations_attach_message"),
        ]

    def __str__(self) -> str:
        return self.filename


class MessageEmbedding(PartitionedTimestampMixin, PartitionedMixin, TenantModel):
    """What a message is found by, apart from its text; `id` is the message's, so they expire together.

    The vector stands in the column of its length. A short one lies with the row, so that all of a person's are
    compared several times faster than long ones, which lie apart.
    """

    audit_exempt = "derived from messages, which are audited"

    updated_at = None
    id = models.UUIDField(primary_key=True, editable=False, help_text="The message's id.")
    conversation = TenantForeignKey(
        "conversations.Conversation",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="+",
        help_text="The message's conversation.",
    )
    embedding_model = models.CharField(max_length=100, help_text="Embedder that made it.")
    embedding = HalfVectorField(
        dimensions=1536, null=True, blank=True, help_text="The vector, when it has 1,536 numbers."
    )
    embedding_384 = HalfVectorField(
        dimensions=384, null=True, blank=True, help_text="The vector, when it has 384 numbers."
    )
    words = SearchVectorField(null=True, blank=True, editable=False, help_text="Its words and their places.")

    class Meta(TenantModel.Meta):
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
                violation_error_message="A message's vector has one length: 384 or 1,536.",
            ),
        ]

    def __str__(self) -> str:
        return f"vector of message {self.pk}"
