"""Firings of triggers."""

from django.db import models

from config.db.constraints import unique_per_tenant
from config.tenancy.models import TenantForeignKey, TenantModel
from workflows.choices import FiringStatus
from workflows.constraints import choices_check


class TriggerFiring(TenantModel):
    """An occasion on which a trigger fired, with the run that it started.

    It is written in the transaction that starts the run, so that no occasion starts two.
    """

    audit_exempt = "itself a log; the runs are audited"
    row_security = {
        "verbs": "SELECT, INSERT, UPDATE",
        "columns": ("status", "execution_id", "error", "updated_at"),
    }

    trigger = TenantForeignKey(
        "workflows.WorkflowTrigger",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="firings",
        help_text="The trigger.",
    )
    key = models.CharField(
        max_length=255,
        help_text="What a second firing would repeat: the scheduled time, the webhook ID or the event ID.",
    )
    status = models.CharField(
        max_length=20,
        choices=FiringStatus,
        default=FiringStatus.STARTED,
        help_text="Queued and skipped firings found an unfinished run; a failed one could not start its run.",
    )
    scheduled_for = models.DateTimeField(null=True, blank=True, help_text="Scheduled time.")
    missed = models.PositiveIntegerField(
        default=0, help_text="Number of scheduled times before this one that started no run."
    )
    execution = TenantForeignKey(
        "workflows.WorkflowExecution",
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        related_name="firings",
        help_text="Run that it started. Empty: none, or a deleted run.",
    )
    error = models.CharField(max_length=500, blank=True, default="", help_text="Why no run started.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "trigger", "-id"], name="wf_firing_trigger"),
            models.Index(fields=["tenant", "execution"], name="wf_firing_execution"),
            models.Index(
                fields=["tenant", "trigger", "scheduled_for"],
                condition=models.Q(status="queued"),
                name="wf_firing_queued",
            ),
        ]
        constraints = [
            unique_per_tenant(
                "trigger", "key", suffix="key_once", message="The trigger already fired on this occasion."
            ),
            choices_check("status", FiringStatus),
        ]

    def __str__(self) -> str:
        return f"{self.trigger}: {self.status}"
