"""Leases and steps, which let another process resume an answer."""

from django.db import models

from config.db.partitions import PartitionedMixin
from config.tenancy.models import MemberForeignKey, PartitionedTimestampMixin, TenantForeignKey, TenantModel
from conversations.choices import LeaseKind, StepKind


class AnswerLease(TenantModel):
    """Which process works on an answer or a meeting, and until when it may; gone when that is done."""

    audit_exempt = "changes with every heartbeat; the message that it serves is audited"

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
        help_text="The pending answer, or the question that a meeting is about.",
    )
    kind = models.CharField(
        max_length=20, choices=LeaseKind, default=LeaseKind.ANSWER, help_text="What is worked on."
    )
    token = models.UUIDField(help_text="Known to the process that holds it; changes when another takes over.")
    lease_until = models.DateTimeField(help_text="After this another process may take over.")
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="Times that it was taken over since the last step was done."
    )
    takeovers = models.PositiveIntegerField(default=0, help_text="Times that it was taken over in all.")
    user = MemberForeignKey(help_text="For whom it is done.", editable=False)
    actor = models.CharField(max_length=200, blank=True, default="", help_text="Who acts, for the audit log.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["lease_until"], name="conversations_lease_due"),
            models.Index(fields=["tenant", "conversation"], name="conversations_lease_conv"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "message"],
                name="conversations_lease_once",
                violation_error_message="Somebody works on it already.",
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=LeaseKind.values), name="conversations_lease_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} until {self.lease_until:%H:%M:%S}"


class TurnStep(PartitionedTimestampMixin, PartitionedMixin, TenantModel):
    """One finished step of an answer: messages to and from the model, or a tool's call or result.

    `payload` of messages is `{"messages": […]}` in the agent library's own JSON; of a call `{"name", "input"}`;
    of a result `{"result"}` or `{"retry"}`.
    """

    audit_exempt = "a journal of turns, append-only for tenants"
    row_security = {"verbs": "SELECT, INSERT"}

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
    number = models.PositiveIntegerField(help_text="Place in the turn, from 1.")
    kind = models.CharField(max_length=20, choices=StepKind, help_text="What was done.")
    call_id = models.CharField(
        max_length=255, blank=True, default="", help_text="Which call of a tool, when it is one."
    )
    payload = models.JSONField(default=dict, help_text="What it takes to go on from here.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "message", "number"], name="conversations_step_order"),
            models.Index(fields=["tenant", "conversation"], name="conversations_step_conv"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=StepKind.values), name="conversations_step_kind_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.number}"
