"""Leases and steps, which allow another process to resume an answer."""

from django.db import models

from config.db.constraints import choices_constraint
from config.db.partitions import PartitionedMixin
from config.tenancy.models import MemberForeignKey, PartitionedTimestampMixin, TenantForeignKey
from conversations.bases import ConversationRowModel
from conversations.choices import LeaseKind, StepKind


class AnswerLease(ConversationRowModel):
    """The lease of a process on an answer or meeting; deleted when the work is finished."""

    audit_exempt = "changes with every heartbeat; the message is audited"

    conversation = TenantForeignKey(
        "conversations.Conversation",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="leases",
        help_text="The conversation.",
    )
    message = TenantForeignKey(
        "conversations.Message",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="leases",
        help_text="The pending answer, or the question of a meeting.",
    )
    kind = models.CharField(
        max_length=20, choices=LeaseKind, default=LeaseKind.ANSWER, help_text="Kind of work."
    )
    token = models.UUIDField(help_text="Fencing token, renewed by each takeover.")
    lease_until = models.DateTimeField(help_text="Expiry of the lease.")
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="Number of takeovers since the last finished step."
    )
    takeovers = models.PositiveIntegerField(default=0, help_text="Total number of takeovers.")
    user = MemberForeignKey(help_text="User of the request.", editable=False)
    actor = models.CharField(max_length=200, blank=True, default="", help_text="Actor for the audit log.")

    class Meta(ConversationRowModel.Meta):
        indexes = [
            models.Index(fields=["lease_until"], name="conversations_lease_due"),
            models.Index(fields=["tenant", "conversation"], name="conversations_lease_conv"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "message"],
                name="conversations_lease_once",
                violation_error_message="Another process is already working on it.",
            ),
            choices_constraint("kind", LeaseKind.values, name="conversations_lease_kind_known"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} until {self.lease_until:%H:%M:%S}"


class TurnStep(PartitionedTimestampMixin, PartitionedMixin, ConversationRowModel):
    """A finished step of an answer: messages to and from the model, a tool call or its result.

    `payload` of messages is `{"messages": […]}` in the agent library's JSON; of a call `{"name", "input"}`;
    of a result `{"result"}` or `{"retry"}`.
    """

    audit_exempt = "a journal of turns, append-only for tenants"
    row_security = ConversationRowModel.row_security | {"verbs": "SELECT, INSERT"}

    updated_at = None
    conversation = TenantForeignKey(
        "conversations.Conversation",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="turn_steps",
        help_text="The conversation.",
    )
    message = TenantForeignKey(
        "conversations.Message",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="turn_steps",
        help_text="The answer.",
    )
    number = models.PositiveIntegerField(help_text="Position, starting at 1.")
    kind = models.CharField(max_length=20, choices=StepKind, help_text="Kind of step.")
    call_id = models.CharField(
        max_length=255, blank=True, default="", help_text="ID of the tool call, if it is one."
    )
    payload = models.JSONField(default=dict, help_text="Data needed to resume the answer.")

    class Meta(ConversationRowModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "message", "number"], name="conversations_step_order"),
            models.Index(fields=["tenant", "conversation"], name="conversations_step_conv"),
        ]
        constraints = [choices_constraint("kind", StepKind.values, name="conversations_step_kind_known")]

    def __str__(self) -> str:
        return f"{self.kind} #{self.number}"
