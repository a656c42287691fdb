"""Organisations."""

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models

from config.tenancy.models import GlobalModel
from tenants.choices import PlanType, TenantStatus

# Columns that a tenant's administrator may change; the platform manages limits and status.
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
SLUG = RegexValidator(r"^[a-z0-9]([a-z0-9-]{0,98}[a-z0-9])?$", "Use lower-case letters, digits and hyphens.")


class Tenant(GlobalModel):
    """An organisation: the boundary of isolation, limits and billing."""

    row_security = {
        "read": "id = (SELECT conclave_current_tenant())",
        "verbs": "SELECT, UPDATE",
        "columns": (*PROFILE, "updated_at"),
        "identity": "SELECT",
    }

    name = models.CharField(max_length=255, help_text="Name of the organisation.")
    slug = models.CharField(max_length=100, unique=True, validators=[SLUG], help_text="Name in addresses.")
    status = models.CharField(
        max_length=20, choices=TenantStatus, default=TenantStatus.ACTIVE, help_text="Suspended: no sign-in."
    )
    plan_type = models.CharField(
        max_length=20, choices=PlanType, default=PlanType.FREE, help_text="Plan the limits come from."
    )
    description = models.TextField(blank=True, default="", help_text="What the organisation does.")
    industry = models.CharField(max_length=100, blank=True, default="", help_text="Branch of industry.")
    company_size = models.CharField(
        max_length=50, blank=True, default="", help_text="Number of people, as a range."
    )
    headquarters_location = models.CharField(max_length=255, blank=True, default="", help_text="Seat.")
    contact_name = models.CharField(max_length=255, blank=True, default="", help_text="Primary contact.")
    contact_email = models.EmailField(blank=True, default="", help_text="Primary contact's e-mail.")
    contact_phone = models.CharField(
        max_length=50, blank=True, default="", help_text="Primary contact's phone."
    )
    max_agents = models.PositiveIntegerField(
        null=True, blank=True, help_text="Agents allowed; empty: no limit."
    )
    max_daily_requests = models.PositiveIntegerField(
        null=True, blank=True, help_text="API requests a day; empty: no limit."
    )
    max_monthly_tokens = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Model tokens a month; empty: no limit."
    )
    max_users = models.PositiveIntegerField(null=True, blank=True, help_text="Members; empty: no limit.")
    max_engagements = models.PositiveIntegerField(
        null=True, blank=True, help_text="Engagements; empty: no limit."
    )
    storage_quota_gb = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Gigabytes stored; empty: no limit.",
    )
    api_quota_monthly = models.PositiveIntegerField(
        null=True, blank=True, help_text="API requests a month; empty: no limit."
    )
    settings = models.JSONField(default=dict, blank=True, help_text="Settings of the organisation.")
    branding = models.JSONField(default=dict, blank=True, help_text="Colours and logo.")
    agent_preferences = models.JSONField(default=dict, blank=True, help_text="Defaults for its agents.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Free data of integrations.")
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="When it was deleted.")

    class Meta(GlobalModel.Meta):
        ordering = ["slug"]
        indexes = [
            models.Index(fields=["status"], condition=models.Q(deleted_at=None), name="tenants_tenant_live"),
            models.Index(fields=["deleted_at"], name="tenants_tenant_deleted"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=TenantStatus.values), name="tenants_tenant_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(plan_type__in=PlanType.values), name="tenants_tenant_plan_type_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_active(self) -> bool:
        """Return whether the tenant is active (`is_active` of the modernize document)."""
        return self.status == TenantStatus.ACTIVE and self.deleted_at is None
