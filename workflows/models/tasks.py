"""Agent tasks and daily agent performance."""

from django.db import models
from django.db.models.functions import Cast

from config.db.constraints import unique_per_tenant
from config.db.partitions import PartitionedByWeekMixin
from config.tenancy.models import PartitionedTimestampMixin, TenantForeignKey, TenantModel
from workflows.choices import AgentTaskStatus, FlowType
from workflows.constraints import (
    NAME,
    NOT_NEGATIVE,
    choices_check,
    min_check,
    order_check,
)


class AgentTask(PartitionedTimestampMixin, PartitionedByWeekMixin, TenantModel):
    """A step of an agent: a turn, a tool call or a contribution to a meeting, with its resource usage.

    A trigger on `AgentRun` adds the rows.
    """

    audit_exempt = "itself a log, written by a trigger"
    engagement_parents = {"master_flow_id": "workflows_masterflow"}

    # A unique index of a partitioned table must include the ID, so the database derives the task ID from it.
    task_id = models.GeneratedField(
        expression=Cast("id", models.CharField(max_length=255)),
        output_field=models.CharField(max_length=255),
        db_persist=True,
        help_text="ID of the task: that of the row.",
    )
    parent_task_id = models.CharField(
        max_length=255, blank=True, default="", help_text="ID of the parent task."
    )
    flow_id = models.UUIDField(null=True, blank=True, help_text="Phase flow of the task.")
    flow_type = models.CharField(
        max_length=50, choices=FlowType, blank=True, default="", help_text="Phase of the task."
    )
    master_flow = TenantForeignKey(
        "workflows.MasterFlow",
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        related_name="agent_tasks",
        help_text="Master flow of the task.",
    )
    agent = TenantForeignKey(
        "agents.Agent",
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        related_name="tasks",
        help_text="Agent, if it is defined in this system.",
    )
    agent_name = models.CharField(max_length=100, help_text="Name of the agent.")
    agent_type = models.CharField(max_length=50, blank=True, default="", help_text="Type of agent.")
    agent_version = models.CharField(max_length=20, blank=True, default="", help_text="Version.")
    task_type = models.CharField(max_length=100, blank=True, default="", help_text="Type of task.")
    task_description = models.TextField(blank=True, default="", help_text="Description of the task.")
    input_data = models.JSONField(default=dict, db_default={}, blank=True, help_text="Input of the task.")
    status = models.CharField(
        max_length=50,
        choices=AgentTaskStatus,
        default=AgentTaskStatus.PENDING,
        db_default=AgentTaskStatus.PENDING,
        help_text="Status.",
    )
    started_at = models.DateTimeField(null=True, blank=True, help_text="Start time.")
    completed_at = models.DateTimeField(null=True, blank=True, help_text="End time.")
    duration_seconds = models.FloatField(
        null=True, blank=True, validators=NOT_NEGATIVE, help_text="Duration in seconds."
    )
    output_data = models.JSONField(default=dict, db_default={}, blank=True, help_text="Output of the task.")
    error_message = models.TextField(blank=True, default="", help_text="Error message.")
    error_details = models.JSONField(null=True, blank=True, help_text="Details of the error.")
    retry_count = models.PositiveIntegerField(default=0, help_text="Number of retries.")
    tokens_used = models.PositiveIntegerField(null=True, blank=True, help_text="Tokens used.")
    api_calls_made = models.PositiveIntegerField(
        null=True, blank=True, help_text="Number of model and tool calls."
    )
    memory_used_mb = models.FloatField(
        null=True, blank=True, validators=NOT_NEGATIVE, help_text="Memory used in megabytes."
    )
    cost = models.DecimalField(max_digits=12, decimal_places=6, default=0, help_text="Cost (US dollars).")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "-id"], name="wf_agenttask_latest"),
            models.Index(fields=["tenant", "task_id"], name="wf_agenttask_task"),
            models.Index(fields=["tenant", "flow_id"], name="wf_agenttask_flow"),
            models.Index(fields=["tenant", "master_flow"], name="wf_agenttask_master_flow"),
            models.Index(fields=["tenant", "agent"], name="wf_agenttask_agent"),
            models.Index(fields=["tenant", "agent_name", "-id"], name="wf_agenttask_agent_name"),
            models.Index(fields=["tenant", "status"], name="wf_agenttask_status"),
        ]
        constraints = [
            choices_check("flow_type", FlowType, blank=True),
            choices_check("status", AgentTaskStatus),
            order_check("started_at", "completed_at"),
            min_check("duration_seconds"),
            min_check("memory_used_mb"),
        ]

    def __str__(self) -> str:
        return f"{self.agent_name}: {self.task_type or self.task_id}"


class AgentPerformanceDaily(TenantModel):
    """Performance of an agent on one day in one type of flow."""

    audit_exempt = "computed from agent tasks"

    date = models.DateField(help_text="The day, in UTC.")
    agent_name = models.CharField(max_length=100, help_text="Name of the agent.")
    flow_type = models.CharField(
        max_length=50, choices=FlowType, blank=True, default="", help_text="Phase of the tasks."
    )
    total_tasks = models.PositiveIntegerField(default=0, db_default=0, help_text="Number of tasks.")
    successful_tasks = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Number of completed tasks."
    )
    failed_tasks = models.PositiveIntegerField(default=0, db_default=0, help_text="Number of failed tasks.")
    avg_duration_seconds = models.FloatField(null=True, blank=True, help_text="Average duration in seconds.")
    p50_duration_seconds = models.FloatField(null=True, blank=True, help_text="Median duration in seconds.")
    p95_duration_seconds = models.FloatField(null=True, blank=True, help_text="95th percentile in seconds.")
    p99_duration_seconds = models.FloatField(null=True, blank=True, help_text="99th percentile in seconds.")
    total_tokens_used = models.PositiveBigIntegerField(
        default=0, db_default=0, help_text="Number of tokens used."
    )
    total_api_calls = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Number of model and tool calls."
    )
    total_cost = models.DecimalField(
        max_digits=14, decimal_places=6, default=0, db_default=0, help_text="In US dollars."
    )
    error_rate = models.FloatField(null=True, blank=True, help_text="Share of failed tasks, from 0 to 1.")
    retry_rate = models.FloatField(null=True, blank=True, help_text="Share of retried tasks, from 0 to 1.")

    class Meta(TenantModel.Meta):
        verbose_name_plural = "daily agent performance"
        constraints = [
            unique_per_tenant("date", "agent_name", "flow_type", message="This day is already computed."),
            choices_check("flow_type", FlowType, blank=True),
            models.CheckConstraint(
                condition=models.Q(
                    total_tasks__gte=models.F("successful_tasks") + models.F("failed_tasks"),
                ),
                name=f"{NAME}tasks_add_up",
                violation_error_message="Successful and failed tasks exceed the total.",
            ),
            models.CheckConstraint(
                condition=models.Q(p50_duration_seconds__lte=models.F("p95_duration_seconds"))
                & models.Q(p95_duration_seconds__lte=models.F("p99_duration_seconds"))
                | models.Q(p50_duration_seconds=None)
                | models.Q(p95_duration_seconds=None)
                | models.Q(p99_duration_seconds=None),
                name=f"{NAME}percentiles_order",
                violation_error_message="The percentiles must not decrease.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent_name} on {self.date}"
