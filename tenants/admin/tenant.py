"""Organisations."""

from django.contrib import admin

from config.admin.bases import BaseModelAdmin, fieldset
from tenants.models import Tenant
from tenants.models.tenant import PROFILE

# Also of plans.
LIMITS = fieldset(
    "Limits",
    ("max_users", "max_agents", "max_engagements"),
    ("max_daily_requests", "api_quota_monthly", "max_concurrent_runs"),
    ("max_monthly_tokens", "storage_quota_gb", "max_key_rate_limit"),
    "workflow_retention_days",
)


@admin.register(Tenant)
class TenantAdmin(BaseModelAdmin):
    resource = "tenant"
    icon = "domain"
    title = "Organisation"
    position = 10
    list_display = ("name", "slug", "status", "plan_type", "created_at")
    list_filter = ("status", "plan_type")
    search_fields = ("name", "slug", "contact_email")
    ordering = ("slug",)
    fieldsets = (
        fieldset(None, ("name", "slug"), ("status", "plan_type"), "description"),
        fieldset("Company", ("industry", "company_size"), "headquarters_location"),
        fieldset("Contact", ("contact_name", "contact_email", "contact_phone")),
        LIMITS,
        fieldset("Market", "payout_account"),
        fieldset("Settings", "settings", "branding", "agent_preferences", "metadata", collapse=True),
    )

    def get_readonly_fields(self, request, obj=None):
        readonly = super().get_readonly_fields(request, obj)
        if request.console.is_platform:
            return readonly
        # The platform manages status, plan and limits; tenants can update only the other columns.
        return [*readonly, *(field.name for field in self.opts.fields if field.name not in PROFILE)]

    def save_model(self, request, obj, form, change):
        if change:
            # Privileges are granted per column, so an UPDATE of every column is refused.
            obj.save(update_fields=[*form.changed_data, "updated_at"])
        else:
            obj.save()

    def has_delete_permission(self, request, obj=None):
        """Forbid deletion; organisations are suspended or marked as deleted instead."""
        return False
