"""Lanes in which the workers run steps, and the events of a run."""

from django.db import models

from config.db.constraints import unique_per_tenant
from config.db.partitions import PartitionedMixin
from config.tenancy.models import PartitionedTimestampMixin, TenantForeignKey, TenantModel
from workflows.choices import LaneStatus, RunEventKind
from workflows.constraints import choices_check, range_check

MAX_LANES = 64


class WorkflowGate(TenantModel):
    """The lock of a tenant's lanes: a lane goes idle only while nobody adds steps."""

    audit_exempt = "locked and read by the engine, never changed"

    lanes = models.PositiveSmallIntegerField(
        default=4, db_default=4, help_text="Number of steps that the tenant may run at the same time."
    )

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"],
                name="workflows_workflowgate_once",
                violation_error_message="The gate exists.",
            ),
            range_check("lanes", 1, MAX_LANES),
        ]

    def __str__(self) -> str:
        return f"{self.lanes} lanes"


class WorkflowLane(TenantModel):
    """A place in which a worker runs steps of a tenant, one after the other."""

    audit_exempt = "changes with every job; runs and steps are the history"

    lane = models.PositiveSmallIntegerField(help_text="Number of the lane, starting at 0.")
    status = models.CharField(
        max_length=10,
        choices=LaneStatus,
        default=LaneStatus.IDLE,
        db_default=LaneStatus.IDLE,
        help_text="Whether a job of the lane is queued or running.",
    )
    job = models.BigIntegerField(
        null=True, blank=True, help_text="Number of the job. Another job of the lane does nothing."
    )

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant"], condition=~models.Q(status=LaneStatus.IDLE), name="wf_lane_busy")
        ]
        constraints = [
            unique_per_tenant("lane", message="The lane exists."),
            choices_check("status", LaneStatus),
        ]

    def __str__(self) -> str:
        return f"Lane {self.lane}: {self.status}"


class WorkflowEvent(PartitionedTimestampMixin, PartitionedMixin, TenantModel):
    """A change of a run or step, numbered per run so that clients can continue after the last one they saw."""

    audit_exempt = "a log, append-only for tenants"
    engagement_parents = {"execution_id": "workflows_workflowexecution"}
    row_security = {"verbs": "SELECT, INSERT"}

    updated_at = None
    execution = TenantForeignKey(
        "workflows.WorkflowExecution",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="events",
        help_text="The run.",
    )
    sequence_number = models.PositiveIntegerField(help_text="Position in the run, starting at 1.")
    kind = models.CharField(max_length=30, choices=RunEventKind, help_text="What happened.")
    data = models.JSONField(
        default=dict, blank=True, help_text='IDs and states: {"step_id": "draft", "attempt": 1}.'
    )

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "execution", "sequence_number"], name="wf_event_order")]
        constraints = [choices_check("kind", RunEventKind)]

    def __str__(self) -> str:
        return f"{self.sequence_number}: {self.kind}"
