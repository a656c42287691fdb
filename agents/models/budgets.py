"""Budgets for model calls, their counters and reservations."""

from django.db import models

from agents.choices import BudgetPeriod, BudgetResource, BudgetSubject
from config.tenancy.models import TenantModel


class Budget(TenantModel):
    """A hard limit set by an organisation, within the limits of its plan (`tenants.TenantQuota`).

    Without `subject_id` it applies to each person, key or agent separately; a row with a `subject_id` overrides it.
    """

    subject = models.CharField(max_length=20, choices=BudgetSubject, help_text="Who is bounded.")
    subject_id = models.UUIDField(
        null=True, blank=True, help_text="The person, key or agent; empty: each of them by itself."
    )
    resource = models.CharField(max_length=20, choices=BudgetResource, help_text="What is limited.")
    period = models.CharField(
        max_length=20, choices=BudgetPeriod, help_text="Time that it is counted over, in UTC."
    )
    limit_value = models.DecimalField(max_digits=20, decimal_places=6, help_text="How much is allowed.")
    is_active = models.BooleanField(default=True, help_text="Whether it applies.")
    note = models.CharField(max_length=500, blank=True, default="", help_text="Why it is there.")

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "subject", "subject_id", "resource", "period"],
                nulls_distinct=False,
                name="agents_budget_once",
                violation_error_message="There is such a budget already.",
            ),
            models.CheckConstraint(
                condition=models.Q(subject__in=BudgetSubject.values), name="agents_budget_subject_known"
            ),
            models.CheckConstraint(
                condition=models.Q(resource__in=BudgetResource.values), name="agents_budget_resource_known"
            ),
            models.CheckConstraint(
                condition=models.Q(period__in=BudgetPeriod.values), name="agents_budget_period_known"
            ),
            models.CheckConstraint(
                condition=models.Q(limit_value__gte=0),
                name="agents_budget_limit",
                violation_error_message="A limit is not negative.",
            ),
            models.CheckConstraint(
                condition=~models.Q(subject=BudgetSubject.TENANT) | models.Q(subject_id=None),
                name="agents_budget_of_tenant",
                violation_error_message="A budget of the organisation names nobody.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject}: {self.limit_value.normalize():f} {self.resource} per {self.period}"


class BudgetCounter(TenantModel):
    """Usage and reservations within one period; together never more than the limit."""

    audit_exempt = "counts what LlmUsage records"

    subject = models.CharField(max_length=20, choices=BudgetSubject, help_text="Who is bounded.")
    subject_id = models.UUIDField(help_text="The organisation, person, key or agent.")
    resource = models.CharField(max_length=20, choices=BudgetResource, help_text="What is counted.")
    period = models.CharField(max_length=20, choices=BudgetPeriod, help_text="Time that it is counted over.")
    period_start = models.DateTimeField(help_text="When that time began.")
    used = models.DecimalField(max_digits=20, decimal_places=6, default=0, help_text="Used so far.")
    reserved = models.DecimalField(
        max_digits=20, decimal_places=6, default=0, help_text="Held for calls under way."
    )
    limit_value = models.DecimalField(
        max_digits=20, decimal_places=6, help_text="The limit at the last call that was let through."
    )

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "subject", "subject_id", "resource", "period", "period_start"],
                name="agents_budgetcounter_once",
            ),
            models.CheckConstraint(
                condition=models.Q(subject__in=BudgetSubject.values), name="agents_counter_subject_known"
            ),
            models.CheckConstraint(
                condition=models.Q(resource__in=BudgetResource.values), name="agents_counter_resource_known"
            ),
            models.CheckConstraint(
                condition=models.Q(period__in=BudgetPeriod.values), name="agents_counter_period_known"
            ),
            models.CheckConstraint(condition=models.Q(reserved__gte=0), name="agents_counter_reserved"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.resource} per {self.period} from {self.period_start:%Y-%m-%d}"


class BudgetReservation(TenantModel):
    """Amounts reserved by one call in progress, until it is settled or expires."""

    audit_exempt = "lives as long as one call to a model"

    held = models.JSONField(help_text="Amount by id of the counter.")
    expires_at = models.DateTimeField(help_text="When it counts as lost with its process.")

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "expires_at"], name="agents_reservation_expires")]

    def __str__(self) -> str:
        return f"reservation until {self.expires_at:%H:%M:%S}"
