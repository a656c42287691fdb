"""Workflow runs, their steps and approvals."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now

from config.db.constraints import unique_per_tenant
from config.tenancy.models import MemberForeignKey, TenantForeignKey, TenantModel
from workflows.choices import ApprovalStatus, ExecutionStatus, StepKind, StepStatus, TriggerType
from workflows.constraints import choices_check, order_check


class WorkflowExecution(TenantModel):
    """A run of a workflow with its input, progress and result."""

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
        help_text="Version of the workflow.",
    )
    trigger = TenantForeignKey(
        "workflows.WorkflowTrigger",
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        related_name="executions",
        help_text="Trigger of the run. Empty: a user, or a deleted trigger.",
    )
    trigger_type = models.CharField(
        max_length=100, choices=TriggerType, default=TriggerType.MANUAL, help_text="Type of trigger."
    )
    trigger_data = models.JSONField(null=True, blank=True, help_text="Data sent by the trigger.")
    user = MemberForeignKey(
        models.DO_NOTHING, db_rule="SET NULL", null=True, blank=True, help_text="User of the run."
    )
    status = models.CharField(
        max_length=50, choices=ExecutionStatus, default=ExecutionStatus.PENDING, help_text="Run status."
    )
    current_step = models.CharField(
        max_length=100, blank=True, default="", help_text="ID of the current step."
    )
    steps_completed = models.PositiveIntegerField(default=0, help_text="Number of finished steps.")
    steps_total = models.PositiveIntegerField(default=0, help_text="Total number of steps.")
    input_data = models.JSONField(default=dict, blank=True, help_text="Input of the run.")
    output_data = models.JSONField(null=True, blank=True, help_text="Output of the run.")
    error_message = models.TextField(blank=True, default="", help_text="Error message.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Additional data as JSON.")
    started_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Start time.")
    completed_at = models.DateTimeField(null=True, blank=True, help_text="End time.")

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
                violation_error_message="The number of completed steps exceeds the total.",
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
    step_id = models.CharField(max_length=100, help_text="ID of the step in the definition.")
    kind = models.CharField(max_length=20, choices=StepKind, help_text="Step kind.")
    attempt = models.PositiveIntegerField(default=1, help_text="Attempt number, starting at 1.")
    agent = TenantForeignKey(
        "agents.Agent",
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        related_name="+",
        help_text="Agent that ran the step.",
    )
    status = models.CharField(
        max_length=20, choices=StepStatus, default=StepStatus.PENDING, help_text="Status of the step."
    )
    input_data = models.JSONField(default=dict, blank=True, help_text="Input of the step.")
    output_data = models.JSONField(null=True, blank=True, help_text="Output of the step.")
    error_message = models.TextField(blank=True, default="", help_text="Error message.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Additional data as JSON.")
    started_at = models.DateTimeField(null=True, blank=True, help_text="Start time.")
    completed_at = models.DateTimeField(null=True, blank=True, help_text="End time.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "agent"], name="wf_step_agent"),
            models.Index(fields=["tenant", "status"], name="wf_step_status"),
            models.Index(fields=["tenant", "-started_at"], name="wf_step_started"),
        ]
        constraints = [
            unique_per_tenant("execution", "step_id", "attempt", message="This attempt already exists."),
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
        help_text="Step that waits for approval.",
    )
    prompt = models.TextField(help_text="Question to the user.")
    assigned_to = MemberForeignKey(help_text="User who decides. Empty: any permitted user.")
    status = models.CharField(
        max_length=20, choices=ApprovalStatus, default=ApprovalStatus.PENDING, help_text="Decision."
    )
    comment = models.TextField(blank=True, default="", help_text="Reason for the decision.")
    decided_by = MemberForeignKey(help_text="User who decided.", editable=False)
    decided_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Time of the decision."
    )
    expires_at = models.DateTimeField(null=True, blank=True, help_text="When the request expires.")

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
                violation_error_message="A decision requires a decision time.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prompt[:80]}: {self.status}"
