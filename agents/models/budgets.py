"""Budgets for model calls, their counters and reservations."""

from django.db import models

from agents.choices import BudgetPeriod, BudgetResource, BudgetSubject
from config.db.constraints import choices_constraint, unique_per_tenant
from config.tenancy.models import TenantModel


class Budget(TenantModel):
    """A hard limit set by an organisation, within the limits of its plan (`tenants.TenantQuota`).

    Without `subject_id`, the limit applies to each user, key or agent separately. A row with `subject_id`
    overrides it for that subject.
    """

    subject = models.CharField(max_length=20, choices=BudgetSubject, help_text="Type of subject.")
    subject_id = models.UUIDField(
        null=True, blank=True, help_text="ID of the user, key or agent. Empty: the limit applies to each one."
    )
    resource = models.CharField(max_length=20, choices=BudgetResource, help_text="Limited resource.")
    period = models.CharField(
        max_length=20, choices=BudgetPeriod, help_text="Period over which usage is counted, in UTC."
    )
    limit_value = models.DecimalField(max_digits=20, decimal_places=6, help_text="Limit per period.")
    is_active = models.BooleanField(default=True, help_text="Whether the budget applies.")
    note = models.CharField(max_length=500, blank=True, default="", help_text="Reason for the limit.")

    class Meta(TenantModel.Meta):
        constraints = [
            unique_per_tenant(
                "subject",
                "subject_id",
                "resource",
                "period",
                message="This budget already exists.",
                nulls_distinct=False,
            ),
            choices_constraint("subject", BudgetSubject.values),
            choices_constraint("resource", BudgetResource.values),
            choices_constraint("period", BudgetPeriod.values),
            models.CheckConstraint(
                condition=models.Q(limit_value__gte=0),
                name="agents_budget_limit",
                violation_error_message="The limit cannot be negative.",
            ),
            models.CheckConstraint(
                condition=~models.Q(subject=BudgetSubject.TENANT) | models.Q(subject_id=None),
                name="agents_budget_of_tenant",
                violation_error_message="A budget for the organisation cannot have a subject ID.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject}: {self.limit_value.normalize():f} {self.resource} per {self.period}"


class BudgetCounter(TenantModel):
    """Usage and reservations in one period; their sum never exceeds the limit."""

    audit_exempt = "aggregates the rows of LlmUsage"

    subject = models.CharField(max_length=20, choices=BudgetSubject, help_text="Type of subject.")
    subject_id = models.UUIDField(help_text="ID of the organisation, user, key or agent.")
    resource = models.CharField(max_length=20, choices=BudgetResource, help_text="Counted resource.")
    period = models.CharField(max_length=20, choices=BudgetPeriod, help_text="Counting period.")
    period_start = models.DateTimeField(help_text="Start of the period.")
    used = models.DecimalField(max_digits=20, decimal_places=6, default=0, help_text="Amount used.")
    reserved = models.DecimalField(
        max_digits=20, decimal_places=6, default=0, help_text="Reserved by running calls."
    )
    limit_value = models.DecimalField(
        max_digits=20, decimal_places=6, help_text="Limit at the latest accepted call."
    )

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "subject", "subject_id", "resource", "period", "period_start"],
                name="agents_budgetcounter_once",
            ),
            choices_constraint("subject", BudgetSubject.values, name="agents_counter_subject_known"),
            choices_constraint("resource", BudgetResource.values, name="agents_counter_resource_known"),
            choices_constraint("period", BudgetPeriod.values, name="agents_counter_period_known"),
            models.CheckConstraint(condition=models.Q(reserved__gte=0), name="agents_counter_reserved"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.resource} per {self.period} from {self.period_start:%Y-%m-%d}"


class BudgetReservation(TenantModel):
    """Amounts reserved by one call in progress, until it is settled or expires."""

    audit_exempt = "exists only during one model call"

    held = models.JSONField(help_text="Reserved amount by counter ID.")
    expires_at = models.DateTimeField(help_text="When an unsettled reservation is released.")

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "expires_at"], name="agents_reservation_expires")]

    def __str__(self) -> str:
        return f"reservation until {self.expires_at:%H:%M:%S}"
