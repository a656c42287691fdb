"""Conversations and their participants."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now

from config.db.constraints import (
    SYSTEM_CLAUSE,
    TENANT_CLAUSE,
    USER_CLAUSE,
    choices_constraint,
    unique_per_tenant,
)
from config.tenancy.managers import ScopedQuerySet
from config.tenancy.models import MemberForeignKey, TenantForeignKey, TenantModel
from conversations.bases import CONVERSATION_CLAUSE, ROW_CLAUSE, VISIBLE, ConversationRowModel
from conversations.choices import ConversationMode, ConversationStatus, ParticipantRole
from conversations.querysets import ConversationManager


class Conversation(TenantModel):
    """A conversation between a user and one or more agents, visible only to its participants."""

    scope_kind = "conversation"
    row_security = {"read": CONVERSATION_CLAUSE}
    # The title is the first question, and the audit log has more readers than the conversation.
    audit_redact = ("title", "context", "metadata")
    audit_omit = ("message_count", "total_tokens", "total_cost", "last_message_at")

    user = MemberForeignKey(related_name="conversations", help_text="Owner.", editable=False)
    agent = TenantForeignKey(
        "agents.Agent",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="conversations",
        help_text="Agent that answers. Empty if several agents answer.",
    )
    agent_version = TenantForeignKey(
        "agents.AgentVersion",
        models.SET_NULL,
        editable=False,
        related_name="+",
        help_text="Published version used by the conversation. Empty: the draft of the agent.",
    )
    forked_from = TenantForeignKey(
        "self",
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        editable=False,
        related_name="branches",
        help_text="Conversation that this one was forked from.",
    )
    forked_at_id = models.UUIDField(
        null=True,
        blank=True,
        editable=False,
        help_text="Last message copied from it. Empty: none, because the first question was edited.",
    )
    title = models.CharField(max_length=500, blank=True, default="", help_text="Title.")
    status = models.CharField(
        max_length=50,
        choices=ConversationStatus,
        default=ConversationStatus.ACTIVE,
        help_text="Status of the conversation.",
    )
    mode = models.CharField(
        max_length=50,
        choices=ConversationMode,
        default=ConversationMode.SINGLE,
        db_default=ConversationMode.SINGLE,
        help_text="How agents answer.",
    )
    context = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="Context shared by the agents."
    )
    metadata = models.JSONField(default=dict, db_default={}, blank=True, help_text="Additional data as JSON.")
    message_count = models.PositiveIntegerField(default=0, editable=False, help_text="Number of messages.")
    total_tokens = models.PositiveBigIntegerField(
        default=0, db_default=0, editable=False, help_text="Tokens used."
    )
    total_cost = models.DecimalField(
        max_digits=14,
        decimal_places=6,
        default=0,
        db_default=0,
        editable=False,
        help_text="Cost in US dollars.",
    )
    started_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Start time.")
    completed_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="End time.")
    last_message_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Latest message.")

    objects = ConversationManager()
    unscoped = models.Manager.from_queryset(ScopedQuerySet)()

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "user", "-id"], name="conversations_conv_user"),
            models.Index(fields=["tenant", "agent", "-id"], name="conversations_conv_agent"),
            models.Index(fields=["tenant", "status"], name="conversations_conv_status"),
            models.Index(
                fields=["tenant", "forked_from"],
                condition=models.Q(forked_from__isnull=False),
                name="conversations_conv_branches",
            ),
            models.Index(fields=["tenant", "-started_at"], name="conversations_conv_started"),
            models.Index(fields=["tenant", "-last_message_at"], name="conversations_conv_recent"),
            GinIndex(fields=["metadata"], name="conversations_conv_metadata"),
        ]
        constraints = [
            choices_constraint("status", ConversationStatus.values, name="conversations_conv_status_known"),
            choices_constraint("mode", ConversationMode.values, name="conversations_conv_mode_known"),
        ]

    def __str__(self) -> str:
        return self.title or f"Conversation of {self.started_at:%Y-%m-%d %H:%M}"


class Participant(ConversationRowModel):
    """A user or agent in a conversation."""

    # Users find the conversations that they joined by their own row, without a look-up of each conversation.
    row_security = {
        "read": f"{TENANT_CLAUSE} AND ({USER_CLAUSE} OR {SYSTEM_CLAUSE} OR {VISIBLE})",
        "write": ROW_CLAUSE,
    }

    conversation = TenantForeignKey(
        Conversation, models.CASCADE, related_name="participants", help_text="The conversation."
    )
    user = MemberForeignKey(
        models.CASCADE,
        null=True,
        blank=True,
        related_name="participations",
        help_text="User who participates.",
    )
    agent = TenantForeignKey(
        "agents.Agent",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="participations",
        help_text="Agent that participates.",
    )
    role = models.CharField(
        max_length=20, choices=ParticipantRole, default=ParticipantRole.MEMBER, help_text="Role."
    )

    class Meta(ConversationRowModel.Meta):
        indexes = [
            # The rows that `conclave_joined_conversations()` reads.
            models.Index(
                fields=["tenant", "user"],
                condition=~models.Q(role=ParticipantRole.OWNER),
                name="conversations_joined",
            )
        ]
        constraints = [
            unique_per_tenant(
                "conversation",
                "user",
                "agent",
                message="This participant is already in the conversation.",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=models.Q(user=None, agent__isnull=False) | models.Q(user__isnull=False, agent=None),
                name="conversations_participant_one_of",
                violation_error_message="Set either a user or an agent.",
            ),
            choices_constraint("role", ParticipantRole.values),
        ]

    def __str__(self) -> str:
        return f"{self.agent or self.user} in {self.conversation}"
