"""Approvals and forms, the people who are asked, their decisions, and the links in e-mails."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Least

from config.db.constraints import unique_per_tenant
from config.tenancy.models import MemberForeignKey, TenantForeignKey, TenantModel
from workflows.choices import ApprovalStatus, Decision, DecisionChannel, RejectionRule
from workflows.constraints import choices_check, range_check

MAX_REQUIRED = 100


class Approval(TenantModel):
    """A decision or a form for which a run waits.

    Assignees and members with a candidate role decide. `required` approvals approve it, the first rejection rejects it.
    """

    engagement_parents = {"step_id": "workflows_stepexecution"}

    audit_omit = ("form", "remind_at")
    audit_redact = ("values",)

    step = TenantForeignKey(
        "workflows.StepExecution",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="approvals",
        help_text="Step that waits for approval.",
    )
    prompt = models.TextField(help_text="Question to the user.")
    candidate_roles = models.JSONField(
        default=list,
        blank=True,
        help_text='Roles whose members can decide, such as ["analyst", "editor"].',
    )
    required = models.PositiveSmallIntegerField(
        default=1,
        db_default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_REQUIRED)],
        help_text="Number of people who must approve.",
    )
    form = models.JSONField(null=True, blank=True, help_text="JSON Schema of the values to enter.")
    values = models.JSONField(null=True, blank=True, editable=False, help_text="Values that were entered.")
    on_reject = models.CharField(
        max_length=10,
        choices=RejectionRule,
        default=RejectionRule.FAIL,
        db_default=RejectionRule.FAIL,
        help_text="Whether a rejection or expiry fails the step, or becomes its output.",
    )
    status = models.CharField(
        max_length=20, choices=ApprovalStatus, default=ApprovalStatus.PENDING, help_text="Decision."
    )
    comment = models.TextField(blank=True, default="", help_text="Reason for the decision.")
    decided_by = MemberForeignKey(help_text="User who decided.", editable=False)
    decided_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Time of the decision."
    )
    due_at = models.DateTimeField(null=True, blank=True, help_text="When it is escalated.")
    escalate_to = models.JSONField(
        default=list,
        blank=True,
        help_text="Members (by e-mail address) and roles that are asked when it is due.",
    )
    escalated_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Time of the escalation."
    )
    remind_at = models.DateTimeField(null=True, blank=True, help_text="Time of the next reminder.")
    remind_seconds = models.PositiveIntegerField(
        null=True, blank=True, help_text="Seconds between reminders."
    )
    expires_at = models.DateTimeField(null=True, blank=True, help_text="When the request expires.")
    next_action_at = models.GeneratedField(
        expression=Least(
            "remind_at",
            "expires_at",
            models.Case(models.When(escalated_at=None, then="due_at")),
        ),
        output_field=models.DateTimeField(null=True),
        db_persist=True,
        help_text="Time of the next reminder, of the escalation or of the expiry.",
    )

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "step"], name="wf_approval_step"),
            models.Index(fields=["tenant", "decided_by"], name="wf_approval_decided"),
            models.Index(fields=["tenant", "status"], name="wf_approval_status"),
            models.Index(
                fields=["next_action_at"],
                condition=models.Q(status=ApprovalStatus.PENDING),
                name="wf_approval_next_action",
            ),
        ]
        constraints = [
            choices_check("status", ApprovalStatus),
            choices_check("on_reject", RejectionRule),
            range_check("required", 1, MAX_REQUIRED),
            models.CheckConstraint(
                condition=models.Q(decided_at__isnull=False)
                | models.Q(
                    status__in=[ApprovalStatus.PENDING, ApprovalStatus.EXPIRED, ApprovalStatus.CANCELLED]
                ),
                name="workflows_approval_decided",
                violation_error_message="A decision requires a decision time.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prompt[:80]}: {self.status}"


class ApprovalAssignee(TenantModel):
    """A member who is asked for a decision, by the workflow, by escalation or by delegation."""

    engagement_parents = {"approval_id": "workflows_approval"}

    approval = TenantForeignKey(
        Approval,
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="assignees",
        help_text="Requested decision.",
    )
    user = MemberForeignKey(models.DO_NOTHING, db_rule="CASCADE", help_text="Member who is asked.")
    delegated_by = MemberForeignKey(
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        editable=False,
        help_text="Member who delegated the decision to this one.",
    )
    delegated_to = MemberForeignKey(
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        editable=False,
        help_text="Member who decides instead.",
    )

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "user"], name="wf_assignee_user"),
            models.Index(fields=["tenant", "delegated_by"], name="wf_assignee_delegated_by"),
            models.Index(fields=["tenant", "delegated_to"], name="wf_assignee_delegated_to"),
        ]
        constraints = [unique_per_tenant("approval", "user", message="This member is already asked.")]

    def __str__(self) -> str:
        return f"{self.user} for {self.approval}"


class ApprovalDecision(TenantModel):
    """The decision of one person about an approval. It never changes."""

    engagement_parents = {"approval_id": "workflows_approval"}

    row_security = {"verbs": "SELECT, INSERT"}
    audit_redact = ("values",)

    updated_at = None
    approval = TenantForeignKey(
        Approval,
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="decisions",
        help_text="Decided approval.",
    )
    user = MemberForeignKey(models.DO_NOTHING, db_rule="SET NULL", null=True, help_text="Member who decided.")
    decision = models.CharField(max_length=20, choices=Decision, help_text="Approved or rejected.")
    comment = models.TextField(blank=True, default="", help_text="Reason for the decision.")
    values = models.JSONField(null=True, blank=True, help_text="Values entered in the form.")
    channel = models.CharField(
        max_length=10, choices=DecisionChannel, help_text="Where the decision was made."
    )

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "user"], name="wf_decision_user")]
        constraints = [
            unique_per_tenant("approval", "user", message="This member has already decided."),
            choices_check("decision", Decision),
            choices_check("channel", DecisionChannel),
        ]

    def __str__(self) -> str:
        return f"{self.decision} by {self.user}"


class ApprovalLink(TenantModel):
    """A link in an e-mail with which one person decides once.

    Only a digest of the token in the link is stored.
    """

    engagement_parents = {"approval_id": "workflows_approval"}

    row_security = {"hidden": ("token_digest",)}
    audit_redact = ("token_digest",)

    approval = TenantForeignKey(
        Approval,
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="links",
        help_text="Requested decision.",
    )
    user = MemberForeignKey(models.DO_NOTHING, db_rule="CASCADE", help_text="Recipient of the e-mail.")
    token_digest = models.BinaryField(
        unique=True, editable=False, help_text="SHA-256 of the token in the link."
    )
    expires_at = models.DateTimeField(help_text="Expiry time.")
    used_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Time at which the link was used."
    )

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "approval"], name="wf_link_approval"),
            models.Index(fields=["tenant", "user"], name="wf_link_user"),
        ]

    def __str__(self) -> str:
        return f"Link for {self.user}"
