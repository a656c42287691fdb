"""Workflow runs and their steps."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now

from config.db.constraints import unique_per_tenant
from config.tenancy.models import MemberForeignKey, TenantForeignKey, TenantModel
from workflows.choices import ExecutionStatus, StepKind, StepStatus, TriggerType
from workflows.constraints import choices_check, order_check


class WorkflowExecution(TenantModel):
    """A run of a workflow with its input, progress and result."""

    audit_omit = (
        "trigger_data",
        "input_data",
        "output_data",
        "metadata",
        "current_step",
        "steps_completed",
        "event_count",
        "waiting_since",
        "deadline_at",
    )

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
        max_length=50,
        choices=ExecutionStatus,
        default=ExecutionStatus.PENDING,
        db_default=ExecutionStatus.PENDING,
        help_text="Run status.",
    )
    current_step = models.CharField(
        max_length=100, blank=True, default="", help_text="ID of the current step."
    )
    steps_completed = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Number of finished steps."
    )
    steps_total = models.PositiveIntegerField(default=0, help_text="Total number of steps.")
    input_data = models.JSONField(default=dict, blank=True, help_text="Input of the run.")
    output_data = models.JSONField(null=True, blank=True, help_text="Output of the run.")
    error_message = models.TextField(blank=True, default="", help_text="Error message.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Additional data as JSON.")
    started_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Start time.")
    completed_at = models.DateTimeField(null=True, blank=True, help_text="End time.")
    engagement = TenantForeignKey(
        "tenants.Engagement",
        models.DO_NOTHING,
        db_rule="CASCADE",
        null=True,
        blank=True,
        related_name="+",
        help_text="Engagement in whose scope the steps run.",
    )
    parent_step = TenantForeignKey(
        "workflows.StepExecution",
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        editable=False,
        related_name="child_runs",
        help_text="Step of another run that started this run.",
    )
    priority = models.SmallIntegerField(
        default=0, db_default=0, help_text="Steps of runs with a higher priority start first."
    )
    concurrency_key = models.CharField(
        max_length=255,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="Runs of the workflow with the same key share its limit.",
    )
    deadline_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="End of the time limit. Waiting extends it."
    )
    waiting_since = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Since when all steps of the run wait."
    )
    redrive_count = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="How often failed steps were started again."
    )
    event_count = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="Number of the latest event of the run."
    )

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "engagement"], name="wf_execution_engagement"),
            models.Index(fields=["tenant", "parent_step"], name="wf_execution_parent"),
            models.Index(
                fields=["tenant", "workflow", "concurrency_key"],
                condition=~models.Q(concurrency_key="") & models.Q(completed_at=None),
                name="wf_execution_concurrency",
            ),
            models.Index(
                fields=["deadline_at"],
                condition=models.Q(completed_at=None, deadline_at__isnull=False),
                name="wf_execution_due",
            ),
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

    audit_exempt = "a history itself; the audit log records runs and the decisions of people"
    engagement_parents = {"execution_id": "workflows_workflowexecution"}

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
    item = models.IntegerField(
        default=-1, db_default=-1, editable=False, help_text="Position of the item of a map, or -1."
    )
    priority = models.SmallIntegerField(
        default=0, db_default=0, editable=False, help_text="Steps with a higher priority start first."
    )
    lane_job = models.BigIntegerField(
        null=True, blank=True, editable=False, help_text="Job that runs the step."
    )
    claim = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="Fencing token, raised by each claim."
    )
    takeovers = models.PositiveSmallIntegerField(
        default=0, db_default=0, editable=False, help_text="How often a worker lost the step."
    )
    wake_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="End of the wait.")
    correlation = models.CharField(
        max_length=500,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="Key of the event or run that the step waits for.",
    )
    resolution = models.JSONField(
        null=True, blank=True, editable=False, help_text="Output or error that ended the wait."
    )
    time_limit = models.FloatField(
        null=True, blank=True, editable=False, help_text="Time limit of the attempt, in seconds."
    )
    deadline_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="End of the time limit of all attempts."
    )
    expires_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="End of the time limit of this attempt."
    )
    idempotency_key = models.CharField(
        max_length=255,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="Key of effects outside, the same for all attempts.",
    )
    error_code = models.CharField(
        max_length=100, blank=True, default="", db_default="", editable=False, help_text="Code of the error."
    )
    size_bytes = models.BigIntegerField(
        default=0, db_default=0, editable=False, help_text="Size of the output as JSON."
    )
    storage_path = models.CharField(
        max_length=500,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="File of an output above 256 kB, which `output_data` lacks.",
    )

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(
                fields=["tenant", "-priority", "id"], condition=models.Q(status="ready"), name="wf_step_ready"
            ),
            models.Index(
                fields=["lane_job"], condition=models.Q(lane_job__isnull=False), name="wf_step_lane_job"
            ),
            models.Index(
                fields=["wake_at"],
                condition=models.Q(status="waiting", wake_at__isnull=False),
                name="wf_step_wake",
            ),
            models.Index(
                fields=["expires_at"],
                condition=models.Q(status__in=["ready", "running", "waiting"], expires_at__isnull=False),
                name="wf_step_expires",
            ),
            models.Index(
                fields=["tenant", "correlation"],
                condition=models.Q(status="waiting") & ~models.Q(correlation=""),
                name="wf_step_correlation",
            ),
            models.Index(fields=["tenant", "agent"], name="wf_step_agent"),
            models.Index(fields=["tenant", "status"], name="wf_step_status"),
            models.Index(fields=["tenant", "-started_at"], name="wf_step_started"),
        ]
        constraints = [
            unique_per_tenant(
                "execution",
                "step_id",
                "item",
                "attempt",
                suffix="attempt_once",
                message="This attempt already exists.",
            ),
            choices_check("kind", StepKind),
            choices_check("status", StepStatus),
            order_check("started_at", "completed_at"),
        ]

    def __str__(self) -> str:
        return f"{self.step_id} #{self.attempt}: {self.status}"
