"""Maps: their progress, the ranges of items under way, and the finished items."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from config.db.constraints import unique_per_tenant
from config.db.partitions import PartitionedMixin
from config.tenancy.models import PartitionedTimestampMixin, TenantForeignKey, TenantModel
from workflows.choices import MapItemStatus
from workflows.constraints import choices_check


class MapState(TenantModel):
    """The items of a map and a cursor over them."""

    audit_exempt = "progress of a step"
    engagement_parents = {"step_id": "workflows_stepexecution"}

    step = TenantForeignKey(
        "workflows.StepExecution",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="+",
        help_text="Attempt of the map.",
    )
    items = models.JSONField(default=list, help_text="Items as a JSON list.")
    positions = ArrayField(
        models.PositiveIntegerField(),
        null=True,
        blank=True,
        help_text="Positions of the items to run. Empty: all; an earlier attempt finished the others.",
    )
    total = models.PositiveIntegerField(help_text="Number of items.")
    next = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Index of the next of these items that no range has."
    )
    done = models.PositiveIntegerField(default=0, db_default=0, help_text="Number of finished items.")
    failed = models.PositiveIntegerField(default=0, db_default=0, help_text="Number of failed items.")

    class Meta(TenantModel.Meta):
        constraints = [unique_per_tenant("step", message="The map has a state.")]

    def __str__(self) -> str:
        return f"{self.done} of {self.total} items"


class MapRange(TenantModel):
    """Items that a helper of a map has taken; they are committed together."""

    audit_exempt = "progress of a step"
    engagement_parents = {"step_id": "workflows_stepexecution"}

    step = TenantForeignKey(
        "workflows.StepExecution",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="+",
        help_text="Attempt of the map.",
    )
    helper = TenantForeignKey(
        "workflows.StepExecution",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="+",
        help_text="Attempt that works on the items.",
    )
    start = models.PositiveIntegerField(help_text="Index of the first of the items to run.")
    stop = models.PositiveIntegerField(help_text="Index after the last item.")
    is_done = models.BooleanField(
        default=False, db_default=False, help_text="Whether the items are finished."
    )

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "helper"], condition=models.Q(is_done=False), name="wf_range_open")
        ]
        constraints = [unique_per_tenant("step", "start", message="The range is taken.")]

    def __str__(self) -> str:
        return f"Items {self.start} to {self.stop}"


class MapItem(PartitionedTimestampMixin, PartitionedMixin, TenantModel):
    """A finished item of a map.

    A unique constraint on the position cannot span partitions. The range of the item is committed only once.
    """

    audit_exempt = "a history itself; the audit log records runs"
    engagement_parents = {"step_id": "workflows_stepexecution"}
    row_security = {"verbs": "SELECT, INSERT"}

    updated_at = None

    step = TenantForeignKey(
        "workflows.StepExecution",
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="map_items",
        help_text="Attempt of the map.",
    )
    position = models.PositiveIntegerField(help_text="Position of the item, starting at 0.")
    status = models.CharField(
        max_length=20,
        choices=MapItemStatus,
        help_text="Status of the item.",
    )
    output_data = models.JSONField(null=True, blank=True, help_text="Outputs of the steps by ID.")
    error_code = models.CharField(
        max_length=100, blank=True, default="", db_default="", help_text="Code of the error."
    )
    error_message = models.TextField(blank=True, default="", db_default="", help_text="Error message.")

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "step", "position"], name="wf_map_item_position")]
        constraints = [choices_check("status", MapItemStatus)]

    def __str__(self) -> str:
        return f"Item {self.position}: {self.status}"
