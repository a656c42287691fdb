"""Agent tasks and daily agent performance."""

from django.db import models

from config.db.partitions import PartitionedByWeekMixin
from config.tenancy.models import PartitionedTimestampMixin, TenantForeignKey, TenantModel
from workflows.choices import AgentTaskStatus, FlowType
from workflows.constraints import (
    NAME,
    NOT_NEGATIVE,
    SHARE,
    choices_check,
    min_check,
    order_check,
    range_check,
    unique_per_tenant,
)


class AgentTask(PartitionedTimestampMixin, PartitionedByWeekMixin, TenantModel):
    """A task of an agent: input, result and resource usage."""

    audit_omit = ("input_data", "output_data", "error_details")

    # Not enforced: a unique index of a partitioned table must include the id.
    task_id = models.CharField(max_length=255, help_text="Id in the runtime of the crew of agents.")
    parent_task_id = models.CharField(
        max_length=255, blank=True, default="", help_text="Task that it is a part of."
    )
    flow_id = models.UUIDField(null=True, blank=True, help_text="Flow of the phase that it served.")
    flow_type = models.CharField(
        max_length=50, choices=FlowType, blank=True, default="", help_text="Phase that it served."
    )
    master_flow = TenantForeignKey(
        "workflows.MasterFlow",
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        related_name="agent_tasks",
        help_text="Flow that led it.",
    )
    agent = TenantForeignKey(
        "agents.Agent",
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        related_name="tasks",
        help_text="Agent at work, where it is one of ours.",
    )
    agent_name = models.CharField(max_length=100, help_text="Name of the agent.")
    agent_type = models.CharField(max_length=50, blank=True, default="", help_text="Kind of agent.")
    agent_version = models.CharField(max_length=20, blank=True, default="", help_text="Its version.")
    task_type = models.CharField(max_length=100, blank=True, default="", help_text="Kind of task.")
    task_description = models.TextField(blank=True, default="", help_text="What was to be done.")
    input_data = models.JSONField(default=dict, blank=True, help_text="What it was given.")
    status = models.CharField(
        max_length=50, choices=AgentTaskStatus, default=AgentTaskStatus.PENDING, help_text="How far it is."
    )
    started_at = models.DateTimeField(null=True, blank=True, help_text="When it began.")
    completed_at = models.DateTimeField(null=True, blank=True, help_text="When it ended.")
    duration_seconds = models.FloatField(
        null=True, blank=True, validators=NOT_NEGATIVE, help_text="Seconds taken."
    )
    output_data = models.JSONField(default=dict, blank=True, help_text="What came of it.")
    error_message = models.TextField(blank=True, default="", help_text="Why it failed.")
    error_details = models.JSONField(null=True, blank=True, help_text="More about the failure.")
    retry_count = models.PositiveIntegerField(default=0, help_text="Times it was tried again.")
    tokens_used = models.PositiveIntegerField(null=True, blank=True, help_text="Tokens used.")
    api_calls_made = models.PositiveIntegerField(
        null=True, blank=True, help_text="Calls to models and tools."
    )
    memory_used_mb = models.FloatField(
        null=True, blank=True, validators=NOT_NEGATIVE, help_text="Memory used, in megabytes."
    )
    cost = models.DecimalField(max_digits=12, decimal_places=6, default=0, help_text="US dollars.")

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

    audit_exempt = "computed from agent tasks, which are audited"

    date = models.DateField(help_text="The day, in UTC.")
    agent_name = models.CharField(max_length=100, help_text="Name of the agent.")
    flow_type = models.CharField(
        max_length=50, choices=FlowType, blank=True, default="", help_text="Phase that it served."
    )
    total_tasks = models.PositiveIntegerField(default=0, help_text="Tasks.")
    successful_tasks = models.PositiveIntegerField(default=0, help_text="Tasks completed.")
    failed_tasks = models.PositiveIntegerField(default=0, help_text="Tasks failed.")
    avg_duration_seconds = models.FloatField(null=True, blank=True, help_text="Mean of the seconds taken.")
    p50_duration_seconds = models.FloatField(null=True, blank=True, help_text="Half took at most this long.")
    p95_duration_seconds = models.FloatField(null=True, blank=True, help_text="95 % took at most this long.")
    p99_duration_seconds = models.FloatField(null=True, blank=True, help_text="99 % took at most this long.")
    total_tokens_used = models.PositiveBigIntegerField(default=0, help_text="Tokens used.")
    total_api_calls = models.PositiveIntegerField(default=0, help_text="Calls to models and tools.")
    total_cost = models.DecimalField(max_digits=14, decimal_places=6, default=0, help_text="US dollars.")
    error_rate = models.FloatField(
        null=True, blank=True, validators=SHARE, help_text="Share of tasks that failed, from 0 to 1."
    )
    retry_rate = models.FloatField(
        null=True, blank=True, validators=SHARE, help_text="Share of tasks tried again, from 0 to 1."
    )

    class Meta(TenantModel.Meta):
        verbose_name_plural = "agent performance by day"
        constraints = [
            unique_per_tenant(
                "date", "agent_name", "flow_type", name="once", message="This day is computed already."
            ),
            choices_check("flow_type", FlowType, blank=True),
            range_check("error_rate", 0, 1),
            range_check("retry_rate", 0, 1),
            models.CheckConstraint(
                condition=models.Q(
                    total_tasks__gte=models.F("successful_tasks") + models.F("failed_tasks"),
                ),
                name=f"{NAME}tasks_add_up",
                violation_error_message="There are fewer tasks than successful and failed ones.",
            ),
            models.CheckConstraint(
                condition=models.Q(p50_duration_seconds__lte=models.F("p95_duration_seconds"))
                & models.Q(p95_duration_seconds__lte=models.F("p99_duration_seconds"))
                | models.Q(p50_duration_seconds=None)
                | models.Q(p95_duration_seconds=None)
                | models.Q(p99_duration_seconds=None),
                name=f"{NAME}percentiles_order",
                violation_error_message="The percentiles do not rise.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent_name} on {self.date}"
