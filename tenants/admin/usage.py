"""Usage metrics and costs."""

from django.contrib import admin

from config.admin.bases import ReadOnlyAdmin, fieldset
from config.admin.filters import CreatedFilter
from tenants.models import CostRecord, UsageMetric


@admin.register(UsageMetric)
class UsageMetricAdmin(ReadOnlyAdmin):
    resource = "usage"
    named_ids = {"agent_id": "agents.Agent.name", "user_id": "accounts.User.email"}
    icon = "bar_chart"
    position = 40
    list_display = ("created_at", "metric_type", "metric_value", "period_start", "period_end")
    list_filter = (CreatedFilter, "metric_type")
    search_fields = ("agent_id__exact", "user_id__exact")
    search_help_text = "Exact agent ID or user ID."
    fieldsets = (
        fieldset(None, ("metric_type", "metric_value"), ("period_start", "period_end")),
        fieldset("Origin", ("agent_id", "user_id"), "metadata"),
    )


@admin.register(CostRecord)
class CostRecordAdmin(ReadOnlyAdmin):
    resource = "usage"
    named_ids = {"user_id": "accounts.User.email"}
    icon = "payments"
    title = "Costs"
    position = 42
    list_display = ("date", "service", "amount", "currency", "created_at")
    list_filter = (CreatedFilter, "currency")
    search_fields = ("service__exact", "user_id__exact")
    search_help_text = "Exact service name or user ID."
    fieldsets = (
        fieldset(None, ("date", "service"), ("amount", "currency")),
        fieldset("Origin", "user_id", "usage_data"),
    )
