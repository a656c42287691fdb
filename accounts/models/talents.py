"""Skills and availability of users, for planning."""

from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from accounts.choices import Availability
from config.db.constraints import choices_constraint
from config.tenancy.models import MemberForeignKey, TenantModel


class Talent(TenantModel):
    """A user's skills, experience, availability and rate, for planning."""

    user = MemberForeignKey(models.CASCADE, related_name="talents", help_text="User with these skills.")
    skills = models.JSONField(default=list, blank=True, help_text='Skills, such as ["python", "sql"].')
    experience_years = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MaxValueValidator(80)], help_text="Years of experience."
    )
    availability = models.CharField(
        max_length=50,
        choices=Availability,
        default=Availability.AVAILABLE,
        help_text="Current availability.",
    )
    rate = models.DecimalField(
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Hourly rate.",
    )

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "user"], name="accounts_talent_user"),
            models.Index(fields=["tenant", "availability"], name="accounts_talent_availability"),
            GinIndex(fields=["skills"], name="accounts_talent_skills"),
        ]
        constraints = [
            choices_constraint("availability", Availability.values),
            models.CheckConstraint(
                condition=models.Q(experience_years=None) | models.Q(experience_years__lte=80),
                name="accounts_talent_experience",
                violation_error_message="Enter at most 80 years of experience.",
            ),
            models.CheckConstraint(
                condition=models.Q(rate=None) | models.Q(rate__gte=0),
                name="accounts_talent_rate",
                violation_error_message="The rate cannot be negative.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {', '.join(map(str, self.skills[:3]))}"
