"""Conversations and their participants."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now

from config.tenancy.managers import ScopedQuerySet
from config.tenancy.models import MemberForeignKey, TenantForeignKey, TenantModel
from conversations.choices import ConversationMode, ConversationStatus, ParticipantRole
from conversations.querysets import ConversationManager


class Conversation(TenantModel):
    """What a person and one or more agents say to each other; seen by its participants only."""

    # The title is the first question, and the audit log has more readers than the conversation.
    audit_redact = ("title", "context", "metadata")
    audit_omit = ("message_count", "total_tokens", "total_cost", "last_message_at")

    user = MemberForeignKey(related_name="conversations", help_text="Who began it.", editable=False)
    agent = TenantForeignKey(
        "agents.Agent",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="conversations",
        help_text="Agent that answers; empty when several do.",
    )
    agent_version = TenantForeignKey(
        "agents.AgentVersion",
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        help_text="Published version that it began with; empty: the agent as it stands.",
    )
    forked_from = TenantForeignKey(
        "self",
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        editable=False,
        related_name="branches",
        help_text="Conversation that it is a branch of.",
    )
    forked_at_id = models.UUIDField(
        null=True,
        blank=True,
        editable=False,
        help_text="Last message that it took over from there; empty: none, its first question was edited.",
    )
    title = models.CharField(max_length=500, blank=True, default="", help_text="What it is about.")
    status = models.CharField(
        max_length=50,
        choices=ConversationStatus,
        default=ConversationStatus.ACTIVE,
        help_text="Whether it goes on.",
    )
    mode = models.CharField(
        max_length=50,
        choices=ConversationMode,
        default=ConversationMode.SINGLE,
        help_text="How agents take part.",
    )
    context = models.JSONField(default=dict, blank=True, help_text="Shared context of its agents.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Free data.")
    message_count = models.PositiveIntegerField(default=0, editable=False, help_text="Messages so far.")
    total_tokens = models.PositiveBigIntegerField(default=0, editable=False, help_text="Tokens used so far.")
    total_cost = models.DecimalField(
        max_digits=14, decimal_places=6, default=0, editable=False, help_text="US dollars spent so far."
    )
    started_at = models.DateTimeField(db_default=Now(), editable=False, help_text="When it began.")
    completed_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="When it ended.")
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
            models.CheckConstraint(
                condition=models.Q(status__in=ConversationStatus.values),
                name="conversations_conv_status_known",
            ),
            models.CheckConstraint(
                condition=models.Q(mode__in=ConversationMode.values), name="conversations_conv_mode_known"
            ),
        ]

    def __str__(self) -> str:
        return self.title or f"Conversation of {self.started_at:%Y-%m-%d %H:%M}"


class Participant(TenantModel):
    """A person or an agent in a conversation."""

    conversation = TenantForeignKey(
        Conversation, models.CASCADE, related_name="participants", help_text="The conversation."
    )
    user = MemberForeignKey(
        models.CASCADE,
        null=True,
        blank=True,
        related_name="participations",
        help_text="Person who takes part.",
    )
    agent = TenantForeignKey(
        "agents.Agent",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="participations",
        help_text="Agent that takes part.",
    )
    role = models.CharField(
        max_length=20, choices=ParticipantRole, default=ParticipantRole.MEMBER, help_text="As what."
    )

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "conversation", "user", "agent"],
                nulls_distinct=False,
                name="conversations_participant_once",
                violation_error_message="Takes part already.",
            ),
            models.CheckConstraint(
                condition=models.Q(user=None, agent__isnull=False) | models.Q(user__isnull=False, agent=None),
                name="conversations_participant_one_of",
                violation_error_message="Name either a person or an agent.",
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=ParticipantRole.values),
                name="conversations_participant_role_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent or self.user} in {self.conversation}"
