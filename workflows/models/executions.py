"""Workflow runs, their steps and approvals."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now

from config.tenancy.models import MemberForeignKey, TenantForeignKey, TenantModel
from workflows.choices import ApprovalStatus, ExecutionStatus, StepKind, StepStatus, TriggerType
from workflows.constraints import choices_check, order_check, unique_per_tenant


class WorkflowExecution(TenantModel):
    """A run of a workflow: input, progress and result."""

    audit_omit = ("trigger_data", "input_data", "output_data", "metadata", "current_step", "steps_completed")

    workflow = TenantForeignKey(
        "workflows.Workflow",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="executions",
        help_text="The workflow.",
    )
    workflow_version = TenantForeignKey(
        "workflows.WorkflowVersion",
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        related_name="executions",
        help_text="Version that it follows.",
    )
    trigger = TenantForeignKey(
        "workflows.WorkflowTrigger",
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        related_name="executions",
        help_text="What started it; empty: a person, or a trigger that is gone.",
    )
    trigger_type = models.CharField(
        max_length=100, choices=TriggerType, default=TriggerType.MANUAL, help_text="What kind of start."
    )
    trigger_data = models.JSONField(null=True, blank=True, help_text="What the trigger brought along.")
    user = MemberForeignKey(
        models.DO_NOTHING, db_rule="SET NULL", null=True, blank=True, help_text="Person it runs for."
    )
    status = models.CharField(
        max_length=50, choices=ExecutionStatus, default=ExecutionStatus.PENDING, help_text="How far it is."
    )
    current_step = models.CharField(
        max_length=100, blank=True, default="", help_text="Id of the step at work."
    )
    steps_completed = models.PositiveIntegerField(default=0, help_text="Steps done.")
    steps_total = models.PositiveIntegerField(default=0, help_text="Steps in all.")
    input_data = models.JSONField(default=dict, blank=True, help_text="What it was given.")
    output_data = models.JSONField(null=True, blank=True, help_text="What came of it.")
    error_message = models.TextField(blank=True, default="", help_text="Why it failed.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Free data.")
    started_at = models.DateTimeField(db_default=Now(), editable=False, help_text="When it began.")
    completed_at = models.DateTimeField(null=True, blank=True, help_text="When it ended.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "workflow", "-id"], name="wf_execution_workflow"),
            models.Index(fields=["tenant", "workflow_version"], name="wf_execution_version"),
            models.Index(fields=["tenant", "trigger"], name="wf_execution_trigger"),
            models.Index(fields=["tenant", "user"], name="wf_execution_user"),
            models.Index(fields=["tenant", "status"], name="wf_execution_status"),
            models.Index(fields=["tenant", "-started_at"], name="wf_execution_started"),
            GinIndex(fields=["metadata"], name="wf_execution_metadata"),
        ]
        constraints = [
            choices_check("status", ExecutionStatus),
            choices_check("trigger_type", TriggerType),
            models.CheckConstraint(
                condition=models.Q(steps_completed__lte=models.F("steps_total")),
                name="workflows_execution_steps",
                violation_error_message="More steps are done than there are.",
            ),
        ]

    def __str__(self) -> str:
        return f"Run of {self.workflow}: {self.status}"


class StepExecution(TenantModel):
    """An attempt of a run step."""

    audit_omit = ("input_data", "output_data", "metadata")

    execution = TenantForeignKey(
        WorkflowExecution, models.DO_NOTHING, db_rule="CASCADE", related_name="steps", help_text="The run."
    )
    step_id = models.CharField(max_length=100, help_text="Id of the step in the definition.")
    kind = models.CharField(max_length=20, choices=StepKind, help_text="Kind of step.")
    attempt = models.PositiveIntegerField(default=1, help_text="Number of the attempt, from 1.")
    agent = TenantForeignKey(
        "agents.Agent",
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        related_name="+",
        help_text="Agent that did it.",
    )
    status = models.CharField(
        max_length=20, choices=StepStatus, default=StepStatus.PENDING, help_text="How far it is."
    )
    input_data = models.JSONField(default=dict, blank=True, help_text="What it was given.")
    output_data = models.JSONField(null=True, blank=True, help_text="What came of it.")
    error_message = models.TextField(blank=True, default="", help_text="Why it failed.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Free data.")
    started_at = models.DateTimeField(null=True, blank=True, help_text="When it began.")
    completed_at = models.DateTimeField(null=True, blank=True, help_text="When it ended.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "agent"], name="wf_step_agent"),
            models.Index(fields=["tenant", "status"], name="wf_step_status"),
            models.Index(fields=["tenant", "-started_at"], name="wf_step_started"),
        ]
        constraints = [
            unique_per_tenant(
                "execution", "step_id", "attempt", name="once", message="This attempt exists already."
            ),
            choices_check("kind", StepKind),
            choices_check("status", StepStatus),
            order_check("started_at", "completed_at"),
        ]

    def __str__(self) -> str:
        return f"{self.step_id} #{self.attempt}: {self.status}"


class Approval(TenantModel):
    """An approval that a run requests from a user."""

    step = TenantForeignKey(
        StepExecution,
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="approvals",
        help_text="Step that waits.",
    )
    prompt = models.TextField(help_text="What is asked.")
    assigned_to = MemberForeignKey(help_text="Person who is asked; empty: anybody who may.")
    status = models.CharField(
        max_length=20, choices=ApprovalStatus, default=ApprovalStatus.PENDING, help_text="The answer."
    )
    comment = models.TextField(blank=True, default="", help_text="Why, in words.")
    decided_by = MemberForeignKey(help_text="Who answered.", editable=False)
    decided_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When it was answered."
    )
    expires_at = models.DateTimeField(null=True, blank=True, help_text="When the question lapses.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "step"], name="wf_approval_step"),
            models.Index(fields=["tenant", "assigned_to", "status"], name="wf_approval_assigned"),
            models.Index(fields=["tenant", "decided_by"], name="wf_approval_decided"),
            models.Index(fields=["tenant", "status"], name="wf_approval_status"),
        ]
        constraints = [
            choices_check("status", ApprovalStatus),
            models.CheckConstraint(
                condition=models.Q(decided_at__isnull=False)
                | models.Q(status__in=[ApprovalStatus.PENDING, ApprovalStatus.EXPIRED]),
                name="workflows_approval_decided",
                violation_error_message="An answer has its time.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prompt[:80]}: {self.status}"
