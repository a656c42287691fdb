"""Plans, subscriptions, quotas and bills."""

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from config.db.constraints import choices_constraint, unique_per_tenant
from config.tenancy.models import GlobalModel, TenantForeignKey, TenantModel
from tenants.choices import (
    BillingInterval,
    BillingStatus,
    PlanType,
    QuotaPeriod,
    QuotaResource,
    SubscriptionStatus,
)

from .tenant import SLUG

CURRENCY = RegexValidator(r"^[A-Z]{3}\Z", "Enter a three-letter ISO 4217 code in capitals, such as USD.")
# A tenant has at most one subscription in these states.
LIVE = (SubscriptionStatus.TRIAL, SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE)


class SubscriptionPlan(GlobalModel):
    """A plan with its prices and limits."""

    slug = models.CharField(max_length=100, unique=True, validators=[SLUG], help_text="Unique name.")
    name = models.CharField(max_length=255, help_text="Name shown to customers.")
    description = models.TextField(blank=True, default="", help_text="Description.")
    plan_type = models.CharField(
        max_length=20,
        choices=PlanType,
        default=PlanType.FREE,
        db_default=PlanType.FREE,
        help_text="Tier of the plan.",
    )
    price_monthly = models.DecimalField(
        max_digits=12, decimal_places=2, default=0, help_text="Net price per month."
    )
    price_yearly = models.DecimalField(
        max_digits=12, decimal_places=2, default=0, help_text="Net price per year."
    )
    currency = models.CharField(
        max_length=3, default="USD", validators=[CURRENCY], help_text="Currency as an ISO 4217 code."
    )
    trial_days = models.PositiveSmallIntegerField(default=0, help_text="Length of the trial in days.")
    grace_days = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="Days after the expiry in which a subscription still counts."
    )
    max_users = models.PositiveIntegerField(null=True, blank=True, help_text="Maximum number of members.")
    max_agents = models.PositiveIntegerField(
        null=True, blank=True, help_text="Maximum number of agents. Empty: no limit."
    )
    max_engagements = models.PositiveIntegerField(
        null=True, blank=True, help_text="Maximum number of engagements. Empty: no limit."
    )
    max_daily_requests = models.PositiveIntegerField(
        null=True, blank=True, help_text="API requests per day. Empty: no limit."
    )
    api_quota_monthly = models.PositiveIntegerField(
        null=True, blank=True, help_text="API requests per month. Empty: no limit."
    )
    max_monthly_tokens = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Model tokens per month. Empty: no limit."
    )
    max_concurrent_runs = models.PositiveIntegerField(
        null=True, blank=True, help_text="Maximum number of agent runs at the same time. Empty: no limit."
    )
    max_key_rate_limit = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Highest rate limit of an API key, in requests per minute. Empty: the default of the installation.",
    )
    storage_quota_gb = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Storage in gigabytes. Empty: no limit.",
    )
    workflow_retention_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Days after which ended workflow runs are deleted. Empty: never.",
    )
    features = models.JSONField(default=dict, blank=True, help_text="Features included in the plan.")
    is_active = models.BooleanField(default=True, help_text="Whether customers can subscribe.")

    class Meta(GlobalModel.Meta):
        ordering = ["price_monthly", "slug"]
        indexes = [models.Index(fields=["plan_type", "is_active"], name="tenants_plan_type_active")]
        constraints = [
            choices_constraint("plan_type", PlanType.values, name="tenants_plan_type_known"),
            models.CheckConstraint(
                condition=models.Q(price_monthly__gte=0, price_yearly__gte=0),
                name="tenants_plan_prices",
                violation_error_message="The price cannot be negative.",
            ),
            models.CheckConstraint(
                condition=models.Q(currency__regex=r"^[A-Z]{3}$"), name="tenants_plan_currency"
            ),
            models.CheckConstraint(
                condition=models.Q(storage_quota_gb=None) | models.Q(storage_quota_gb__gt=0),
                name="tenants_plan_storage",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Subscription(TenantModel):
    """A tenant's subscription to a plan, managed by the platform."""

    row_security = {"verbs": "SELECT"}

    plan = models.ForeignKey(
        SubscriptionPlan, models.PROTECT, related_name="subscriptions", help_text="Subscribed plan."
    )
    status = models.CharField(
        max_length=20,
        choices=SubscriptionStatus,
        default=SubscriptionStatus.ACTIVE,
        db_default=SubscriptionStatus.ACTIVE,
        help_text="Status of the subscription.",
    )
    billing_interval = models.CharField(
        max_length=20,
        choices=BillingInterval,
        default=BillingInterval.MONTHLY,
        help_text="Billing interval.",
    )
    started_at = models.DateTimeField(help_text="Start of the subscription.")
    current_period_start = models.DateTimeField(
        null=True, blank=True, help_text="Start of the current billing period."
    )
    current_period_end = models.DateTimeField(null=True, blank=True, help_text="End of that period.")
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Expiry time. Empty: renews.")
    cancelled_at = models.DateTimeField(null=True, blank=True, help_text="When it was cancelled.")
    external_id = models.CharField(
        max_length=255, blank=True, default="", help_text="ID at the payment provider."
    )
    metadata = models.JSONField(default=dict, blank=True, help_text="Additional data as JSON.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "status"], name="tenants_subscription_status"),
            models.Index(fields=["expires_at"], name="tenants_subscription_expires"),
        ]
        constraints = [
            unique_per_tenant(
                suffix="one_live",
                message="The organisation already has an active subscription.",
                condition=models.Q(status__in=LIVE),
            ),
            choices_constraint("status", SubscriptionStatus.values),
            choices_constraint(
                "billing_interval", BillingInterval.values, name="tenants_subscription_interval_known"
            ),
            models.CheckConstraint(
                condition=models.Q(expires_at=None) | models.Q(expires_at__gte=models.F("started_at")),
                name="tenants_subscription_dates_in_order",
                violation_error_message="The subscription must not end before it starts.",
            ),
            models.CheckConstraint(
                condition=models.Q(current_period_end=None)
                | models.Q(current_period_end__gt=models.F("current_period_start")),
                name="tenants_subscription_period",
                violation_error_message="The period must not end before it starts.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan} ({self.status})"


class TenantQuota(TenantModel):
    """A limit of one tenant, granted by the platform, that overrides its plan."""

    row_security = {"verbs": "SELECT"}

    resource = models.CharField(max_length=50, choices=QuotaResource, help_text="Limited resource.")
    period = models.CharField(
        max_length=20,
        choices=QuotaPeriod,
        default=QuotaPeriod.TOTAL,
        help_text="Period over which usage is counted.",
    )
    limit_value = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Maximum in the period. Empty: no limit."
    )
    warn_at_percent = models.PositiveSmallIntegerField(
        default=80,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="Percentage of the limit at which a warning is sent.",
    )
    is_hard = models.BooleanField(default=True, help_text="Whether requests beyond the limit are rejected.")
    valid_until = models.DateTimeField(
        null=True, blank=True, help_text="Expiry time, after which the plan's limit applies."
    )
    note = models.CharField(max_length=500, blank=True, default="", help_text="Reason for the limit.")

    class Meta(TenantModel.Meta):
        constraints = [
            unique_per_tenant(
                "resource", "period", message="A limit for this resource and period already exists."
            ),
            choices_constraint("resource", QuotaResource.values),
            choices_constraint("period", QuotaPeriod.values),
            models.CheckConstraint(
                condition=models.Q(warn_at_percent__range=(1, 100)), name="tenants_tenantquota_warn_at"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.resource} per {self.period}"


class BillingRecord(TenantModel):
    """A bill for one period: usage, amount and payment status."""

    row_security = {"verbs": "SELECT"}

    subscription = TenantForeignKey(
        Subscription, models.SET_NULL, related_name="bills", help_text="Billed subscription."
    )
    number = models.CharField(max_length=50, help_text="Bill number.")
    status = models.CharField(
        max_length=20, choices=BillingStatus, default=BillingStatus.DRAFT, help_text="Status of the bill."
    )
    period_start = models.DateField(help_text="First day of the period.")
    period_end = models.DateField(help_text="Last day of the period.")
    currency = models.CharField(
        max_length=3, default="USD", validators=[CURRENCY], help_text="Currency as an ISO 4217 code."
    )
    net_amount = models.DecimalField(max_digits=14, decimal_places=2, default=0, help_text="Net amount.")
    tax_amount = models.DecimalField(max_digits=14, decimal_places=2, default=0, help_text="Tax amount.")
    total_amount = models.GeneratedField(
        expression=models.F("net_amount") + models.F("tax_amount"),
        output_field=models.DecimalField(max_digits=14, decimal_places=2),
        db_persist=True,
        help_text="Total amount including tax.",
    )
    lines = models.JSONField(
        default=list, blank=True, help_text="Line items: description, quantity, unit price, net amount."
    )
    issued_at = models.DateTimeField(null=True, blank=True, help_text="When the bill was issued.")
    due_at = models.DateTimeField(null=True, blank=True, help_text="When payment is due.")
    paid_at = models.DateTimeField(null=True, blank=True, help_text="When the bill was paid.")
    payment_method = models.CharField(max_length=50, blank=True, default="", help_text="Payment method.")
    transaction_id = models.CharField(
        max_length=255, blank=True, default="", help_text="ID at the payment provider."
    )
    metadata = models.JSONField(default=dict, blank=True, help_text="Additional data as JSON.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "status"], name="tenants_billing_status"),
            models.Index(fields=["tenant", "-period_start"], name="tenants_billing_latest"),
        ]
        constraints = [
            unique_per_tenant("number", suffix="number", message="A bill with this number already exists."),
            choices_constraint("status", BillingStatus.values, name="tenants_billing_status_known"),
            models.CheckConstraint(
                condition=models.Q(period_end__gte=models.F("period_start")),
                name="tenants_billing_period",
                violation_error_message="The period must not end before it starts.",
            ),
            models.CheckConstraint(
                condition=models.Q(net_amount__gte=0, tax_amount__gte=0),
                name="tenants_billing_amounts",
                violation_error_message="Amounts cannot be negative.",
            ),
            models.CheckConstraint(
                condition=models.Q(currency__regex=r"^[A-Z]{3}$"), name="tenants_billing_currency"
            ),
        ]

    def __str__(self) -> str:
        return self.number
