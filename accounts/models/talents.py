"""Skills and availability of people, for planning."""

from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from accounts.choices import Availability
from config.tenancy.models import MemberForeignKey, TenantModel


class Talent(TenantModel):
    """A person's skills, experience, availability and rate, used for planning."""

    user = MemberForeignKey(models.CASCADE, related_name="talents", help_text="The person.")
    skills = models.JSONField(default=list, blank=True, help_text='Skills, such as ["python", "sql"].')
    experience_years = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MaxValueValidator(80)], help_text="Years of experience."
    )
    availability = models.CharField(
        max_length=50,
        choices=Availability,
        default=Availability.AVAILABLE,
        help_text="Whether there is time.",
    )
    rate = models.DecimalField(
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Price of an hour.",
    )

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "user"], name="accounts_talent_user"),
            models.Index(fields=["tenant", "availability"], name="accounts_talent_availability"),
            GinIndex(fields=["skills"], name="accounts_talent_skills"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(availability__in=Availability.values),
                name="accounts_talent_availability_known",
            ),
            models.CheckConstraint(
                condition=models.Q(experience_years=None) | models.Q(experience_years__lte=80),
                name="accounts_talent_experience",
                violation_error_message="experience_years: at most 80.",
            ),
            models.CheckConstraint(
                condition=models.Q(rate=None) | models.Q(rate__gte=0),
                name="accounts_talent_rate",
                violation_error_message="A rate is not negative.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {', '.join(map(str, self.skills[:3]))}"
