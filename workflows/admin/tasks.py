"""Agent tasks and agent performance, created by the system."""

from django.contrib import admin

from audit.admin.exports import AuditedExportMixin
from config.admin.bases import ReadOnlyAdmin
from config.admin.filters import CreatedFilter
from workflows.models import AgentPerformanceDaily, AgentTask


@admin.register(AgentTask)
class AgentTaskAdmin(ReadOnlyAdmin):
    resource = "agent-tasks"
    icon = "task"
    position = 300
    list_display = (
        "created_at",
        "agent_name",
        "task_type",
        "flow_type",
        "status",
        "duration_seconds",
        "tokens_used",
        "cost",
    )
    list_filter = (CreatedFilter, "status", "flow_type")
    search_fields = ("task_id__exact", "flow_id__exact", "agent_name__exact")
    search_help_text = "Exact task ID, flow ID or agent name."
    fieldsets = (
        (None, {"fields": (("task_id", "parent_task_id"), ("status", "task_type"), "task_description")}),
        ("Agent", {"fields": (("agent_name", "agent"), ("agent_type", "agent_version"))}),
        ("Flow", {"fields": (("flow_type", "flow_id"), "master_flow")}),
        ("Times", {"fields": (("started_at", "completed_at", "duration_seconds"),)}),
        (
            "Use",
            {"fields": (("tokens_used", "api_calls_made", "cost"), ("memory_used_mb", "retry_count"))},
        ),
        ("Result", {"fields": ("error_message", "error_details", "input_data", "output_data")}),
    )


@admin.register(AgentPerformanceDaily)
class AgentPerformanceDailyAdmin(AuditedExportMixin, ReadOnlyAdmin):
    resource = "agent-tasks"
    icon = "speed"
    title = "Agent performance"
    position = 310
    list_display = (
        "date",
        "agent_name",
        "flow_type",
        "total_tasks",
        "failed_tasks",
        "p50_duration_seconds",
        "p95_duration_seconds",
        "total_cost",
    )
    list_filter = ("flow_type",)
    search_fields = ("agent_name",)
    date_hierarchy = "date"
    fieldsets = (
        (None, {"fields": (("date", "agent_name", "flow_type"),)}),
        (
            "Tasks",
            {"fields": (("total_tasks", "successful_tasks", "failed_tasks"), ("error_rate", "retry_rate"))},
        ),
        (
            "Seconds",
            {
                "fields": (
                    ("avg_duration_seconds", "p50_duration_seconds"),
                    ("p95_duration_seconds", "p99_duration_seconds"),
                )
            },
        ),
        ("Use", {"fields": (("total_tokens_used", "total_api_calls", "total_cost"),)}),
    )
