"""Projects inside a tenant."""

from django.db import models

from config.db.constraints import choices_constraint
from config.tenancy.models import MemberForeignKey, TenantModel
from tenants.choices import Complexity, EngagementStatus, EngagementType


class Engagement(TenantModel):
    """A project of an organisation that can narrow a scope."""

    name = models.CharField(max_length=255, help_text="Name of the project.")
    description = models.TextField(blank=True, default="", help_text="Goals of the project.")
    engagement_type = models.CharField(
        max_length=50, choices=EngagementType, blank=True, default="", help_text="Type of project."
    )
    status = models.CharField(
        max_length=50,
        choices=EngagementStatus,
        default=EngagementStatus.PLANNING,
        db_default=EngagementStatus.PLANNING,
        help_text="Status of the project.",
    )
    start_date = models.DateField(null=True, blank=True, help_text="First day.")
    end_date = models.DateField(null=True, blank=True, help_text="Last day.")
    target_applications = models.PositiveIntegerField(
        null=True, blank=True, help_text="Applications covered by the project."
    )
    target_infrastructure_units = models.PositiveIntegerField(
        null=True, blank=True, help_text="Servers, databases and other infrastructure covered by the project."
    )
    estimated_complexity = models.CharField(
        max_length=20, choices=Complexity, blank=True, default="", help_text="Initial estimate."
    )
    created_by = MemberForeignKey(help_text="User who created it.", editable=False)

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "status"], name="tenants_engagement_status")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(end_date=None)
                | models.Q(start_date=None)
                | models.Q(end_date__gte=models.F("start_date")),
                name="tenants_engagement_dates_in_order",
                violation_error_message="The end date must not be before the start date.",
            ),
            choices_constraint("status", EngagementStatus.values),
            choices_constraint(
                "engagement_type", ["", *EngagementType.values], name="tenants_engagement_type_known"
            ),
            choices_constraint(
                "estimated_complexity", ["", *Complexity.values], name="tenants_engagement_complexity_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name
