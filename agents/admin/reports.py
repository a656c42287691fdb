"""Read-only console pages for daily reports."""

from django.contrib import admin

from agents.models import AgentActivityDaily, UsageDaily
from audit.admin.exports import AuditedExportMixin
from config.admin.bases import ReadOnlyAdmin, fieldset


@admin.register(AgentActivityDaily)
class AgentActivityDailyAdmin(AuditedExportMixin, ReadOnlyAdmin):
    resource = "usage"
    icon = "bar_chart"
    title = "Daily activity"
    position = 47
    named_ids = {"agent_id": "agents.Agent.name"}
    list_display = ("date", "agent_id", "runs", "failed_runs", "tokens_used", "p50_ms", "p95_ms")
    search_fields = ("agent_id__exact",)
    search_help_text = "Exact ID of an agent."
    date_hierarchy = "date"
    fieldsets = (
        fieldset(
            None, ("date", "agent_id"), ("runs", "failed_runs", "tokens_used"), ("p50_ms", "p95_ms", "p99_ms")
        ),
    )


@admin.register(UsageDaily)
class UsageDailyAdmin(AuditedExportMixin, ReadOnlyAdmin):
    resource = "usage"
    icon = "query_stats"
    title = "Daily usage"
    position = 42
    list_display = (
        "date",
        "provider",
        "model",
        "calls",
        "failed_calls",
        "prompt_tokens",
        "completion_tokens",
        "total_cost",
    )
    list_filter = ("provider",)
    search_fields = ("model",)
    date_hierarchy = "date"
    fieldsets = (
        fieldset(
            None,
            ("date", "provider", "model"),
            ("calls", "failed_calls", "avg_latency_ms"),
            ("prompt_tokens", "completion_tokens", "total_cost"),
        ),
    )
