"""Read-only workflow report."""

from django.contrib import admin

from audit.admin.exports import AuditedExportMixin
from config.admin.bases import ReadOnlyAdmin, fieldset
from workflows.models import WorkflowRunsDaily


@admin.register(WorkflowRunsDaily)
class WorkflowRunsDailyAdmin(AuditedExportMixin, ReadOnlyAdmin):
    resource = "usage"
    icon = "query_stats"
    title = "Daily runs"
    position = 305
    named_ids = {"workflow_id": "workflows.Workflow.name"}
    list_display = (
        "date",
        "workflow_id",
        "runs",
        "completed_runs",
        "failed_runs",
        "avg_seconds",
        "p95_seconds",
    )
    search_fields = ("workflow_id__exact",)
    search_help_text = "Exact workflow ID."
    date_hierarchy = "date"
    fieldsets = (
        fieldset(
            None,
            ("date", "workflow_id"),
            ("runs", "completed_runs", "failed_runs"),
            ("avg_seconds", "p95_seconds"),
        ),
    )
