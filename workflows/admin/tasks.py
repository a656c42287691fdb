"""Agent tasks and agent performance, created by the system."""

from django.contrib import admin

from audit.admin.exports import AuditedExportMixin
from config.admin.bases import ReadOnlyAdmin, fieldset
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
        fieldset(None, ("task_id", "parent_task_id"), ("status", "task_type"), "task_description"),
        fieldset("Agent", ("agent_name", "agent"), ("agent_type", "agent_version")),
        fieldset("Flow", ("flow_type", "flow_id"), "master_flow"),
        fieldset("Times", ("started_at", "completed_at", "duration_seconds")),
        fieldset("Use", ("tokens_used", "api_calls_made", "cost"), ("memory_used_mb", "retry_count")),
        fieldset("Result", "error_message", "error_details", "input_data", "output_data"),
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
        fieldset(None, ("date", "agent_name", "flow_type")),
        fieldset("Tasks", ("total_tasks", "successful_tasks", "failed_tasks"), ("error_rate", "retry_rate")),
        fieldset(
            "Seconds",
            ("avg_duration_seconds", "p50_duration_seconds"),
            ("p95_duration_seconds", "p99_duration_seconds"),
        ),
        fieldset("Use", ("total_tokens_used", "total_api_calls", "total_cost")),
    )
