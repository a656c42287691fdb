"""Organisations."""

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models

from config.db.constraints import choices_constraint
from config.tenancy.models import GlobalModel
from tenants.choices import PlanType, TenantStatus
from tenants.schemas import SchemaValidator

# Columns that a tenant's administrator can change; the platform manages limits and status.
PROFILE = (
    "name",
    "description",
    "industry",
    "company_size",
    "headquarters_location",
    "contact_name",
    "contact_email",
    "contact_phone",
    "settings",
    "branding",
    "agent_preferences",
    "metadata",
)
PAYOUT_ACCOUNT = RegexValidator(r"^acct_[a-zA-Z0-9]+\Z", "Enter the ID of a Stripe account (acct_…).")
SLUG = RegexValidator(r"^[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?$", "Use lower-case letters, digits and hyphens.")


def agent_preference_defaults() -> dict[str, str]:
    """Return the default preferences for agents."""
    return {
        "discovery_depth": "comprehensive",
        "automation_level": "assisted",
        "risk_tolerance": "moderate",
    }


class Tenant(GlobalModel):
    """An organisation: the boundary of isolation, limits and billing."""

    row_security = {
        "read": "id = (SELECT conclave_current_tenant())",
        "verbs": "SELECT, UPDATE",
        "columns": (*PROFILE, "updated_at"),
        "identity": "SELECT",
    }

    name = models.CharField(max_length=255, help_text="Name of the organisation.")
    slug = models.CharField(max_length=100, unique=True, validators=[SLUG], help_text="Unique name.")
    status = models.CharField(
        max_length=20,
        choices=TenantStatus,
        default=TenantStatus.ACTIVE,
        db_default=TenantStatus.ACTIVE,
        help_text="Status.",
    )
    plan_type = models.CharField(
        max_length=20,
        choices=PlanType,
        default=PlanType.FREE,
        db_default=PlanType.FREE,
        help_text="Plan that sets the limits.",
    )
    description = models.TextField(blank=True, default="", help_text="Description of the organisation.")
    industry = models.CharField(max_length=100, blank=True, default="", help_text="Industry.")
    company_size = models.CharField(
        max_length=50, blank=True, default="", help_text="Range of employees, such as 11-50."
    )
    headquarters_location = models.CharField(max_length=255, blank=True, default="", help_text="Location.")
    contact_name = models.CharField(max_length=255, blank=True, default="", help_text="Primary contact.")
    contact_email = models.EmailField(blank=True, default="", help_text="E-mail of the primary contact.")
    contact_phone = models.CharField(
        max_length=50, blank=True, default="", help_text="Phone number of the primary contact."
    )
    max_agents = models.PositiveIntegerField(
        null=True, blank=True, help_text="Maximum number of agents. Empty: no limit."
    )
    max_daily_requests = models.PositiveIntegerField(
        null=True, blank=True, help_text="API requests per day. Empty: no limit."
    )
    max_monthly_tokens = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Model tokens per month. Empty: no limit."
    )
    max_concurrent_runs = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Maximum number of agent runs at the same time. Empty: that of the plan.",
    )
    max_key_rate_limit = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Highest rate limit of an API key, in requests per minute. Empty: that of the plan.",
    )
    workflow_retention_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Days after which ended workflow runs are deleted. Empty: that of the plan.",
    )
    max_users = models.PositiveIntegerField(null=True, blank=True, help_text="Maximum number of members.")
    max_engagements = models.PositiveIntegerField(
        null=True, blank=True, help_text="Maximum number of engagements. Empty: no limit."
    )
    storage_quota_gb = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Storage in gigabytes. Empty: no limit.",
    )
    api_quota_monthly = models.PositiveIntegerField(
        null=True, blank=True, help_text="API requests per month. Empty: no limit."
    )
    payout_account = models.CharField(
        max_length=255,
        blank=True,
        default="",
        db_default="",
        validators=[PAYOUT_ACCOUNT],
        help_text="Connected Stripe account that receives payouts. Empty: they are paid by hand.",
    )
    settings = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="Settings of the organisation."
    )
    branding = models.JSONField(
        default=dict,
        db_default={},
        blank=True,
        validators=[SchemaValidator("Branding")],
        help_text='Name, colour and logo in the console: {"primary_color": "#0a7d55", "logo": "data:…"}.',
    )
    agent_preferences = models.JSONField(
        default=agent_preference_defaults,
        db_default=agent_preference_defaults(),
        blank=True,
        help_text="Defaults for agents.",
    )
    metadata = models.JSONField(default=dict, blank=True, help_text="Data stored by integrations.")
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Deletion time.")

    class Meta(GlobalModel.Meta):
        ordering = ["slug"]
        indexes = [
            models.Index(fields=["status"], condition=models.Q(deleted_at=None), name="tenants_tenant_live"),
            models.Index(fields=["deleted_at"], name="tenants_tenant_deleted"),
            models.Index(fields=["plan_type"], name="tenants_tenant_plan"),
        ]
        constraints = [
            choices_constraint("status", TenantStatus.values),
            choices_constraint("plan_type", PlanType.values),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_active(self) -> bool:
        """Return whether the tenant is active."""
        return self.status == TenantStatus.ACTIVE and self.deleted_at is None
