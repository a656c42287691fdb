"""Meter events, usage metrics and costs."""

from django.contrib import admin

from config.admin.bases import ReadOnlyAdmin, fieldset
from config.admin.filters import CreatedFilter
from tenants.models import CostRecord, MeterEvent, UsageMetric

NAMED_IDS = {
    "agent_id": "agents.Agent.name",
    "engagement_id": "tenants.Engagement.name",
    "key_id": "accounts.ApiKey.name",
    "user_id": "accounts.User.email",
}
ORIGIN = fieldset("Origin", ("engagement_id", "agent_id"), ("user_id", "key_id"), ("model", "service"))


@admin.register(MeterEvent)
class MeterEventAdmin(ReadOnlyAdmin):
    resource = "usage"
    named_ids = NAMED_IDS
    icon = "speed"
    position = 39
    list_display = ("occurred_at", "metric_type", "quantity", "cost", "service", "is_rolled_up")
    list_filter = (CreatedFilter, "metric_type", "is_rolled_up")
    search_fields = ("agent_id__exact", "user_id__exact", "key_id__exact")
    search_help_text = "Exact ID of an agent, user or API key."
    fieldsets = (
        fieldset(
            None,
            ("metric_type", "quantity"),
            ("events", "completion_tokens", "cost"),
            "occurred_at",
            "is_rolled_up",
        ),
        ORIGIN,
    )


@admin.register(UsageMetric)
class UsageMetricAdmin(ReadOnlyAdmin):
    resource = "usage"
    named_ids = NAMED_IDS
    icon = "bar_chart"
    position = 40
    list_display = ("created_at", "metric_type", "metric_value", "interval", "period_start", "period_end")
    list_filter = (CreatedFilter, "metric_type", "interval")
    search_fields = ("agent_id__exact", "user_id__exact")
    search_help_text = "Exact agent ID or user ID."
    fieldsets = (
        fieldset(
            None,
            ("metric_type", "metric_value"),
            ("events", "completion_tokens", "cost"),
            ("interval", "period_start", "period_end"),
            "metadata",
        ),
        ORIGIN,
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
