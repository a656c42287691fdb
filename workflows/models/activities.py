"""Activities and their assignments."""

from django.db import models
from django.db.models.functions import Now

from config.db.constraints import unique_per_tenant
from config.tenancy.models import MemberForeignKey, TenantForeignKey, TenantModel
from workflows.constraints import order_check


class ActivityType(TenantModel):
    """A type of activity, defined by the organisation."""

    name = models.CharField(max_length=255, help_text="Name of the type.")

    class Meta(TenantModel.Meta):
        constraints = [unique_per_tenant("name", suffix="name_once", message="This type already exists.")]

    def __str__(self) -> str:
        return self.name


class ActivityStatus(TenantModel):
    """A status of activities, defined by the organisation."""

    name = models.CharField(max_length=255, help_text="Name of the status.")

    class Meta(TenantModel.Meta):
        verbose_name_plural = "activity statuses"
        constraints = [unique_per_tenant("name", suffix="name_once", message="This status already exists.")]

    def __str__(self) -> str:
        return self.name


class Activity(TenantModel):
    """An activity of several people over a period."""

    name = models.CharField(max_length=255, help_text="Name of the activity.")
    description = models.TextField(blank=True, default="", help_text="Goals of the activity.")
    activity_type = TenantForeignKey(
        ActivityType,
        models.RESTRICT,
        null=True,
        blank=True,
        related_name="activities",
        help_text="Type. A type that is in use cannot be deleted.",
    )
    status = TenantForeignKey(
        ActivityStatus,
        models.RESTRICT,
        null=True,
        blank=True,
        related_name="activities",
        help_text="Status. A status that is in use cannot be deleted.",
    )
    start_date = models.DateField(null=True, blank=True, help_text="First day.")
    end_date = models.DateField(null=True, blank=True, help_text="Last day.")

    class Meta(TenantModel.Meta):
        verbose_name_plural = "activities"
        indexes = [
            models.Index(fields=["tenant", "activity_type"], name="wf_activity_type"),
            models.Index(fields=["tenant", "status"], name="wf_activity_status"),
            models.Index(fields=["tenant", "-start_date"], name="wf_activity_start"),
        ]
        constraints = [order_check("start_date", "end_date")]

    def __str__(self) -> str:
        return self.name


class ActivityAssignment(TenantModel):
    """An assignment of a user to an activity, with a role."""

    activity = TenantForeignKey(
        Activity, models.CASCADE, related_name="assignments", help_text="The activity."
    )
    user = MemberForeignKey(models.CASCADE, help_text="Assigned user.")
    role = models.CharField(max_length=100, blank=True, default="", help_text="Role.")
    assigned_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Assignment time.")

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "user"], name="wf_assignment_user")]
        constraints = [
            unique_per_tenant("activity", "user", "role", message="The user already has this role.")
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.activity}"
