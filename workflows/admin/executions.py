"""Workflow runs, created by the system."""

from django.contrib import admin

from config.admin.bases import ReadOnlyAdmin, fieldset
from config.admin.filters import CreatedFilter
from workflows.admin.run_controls import RunControlMixin
from workflows.admin.run_pages import RunPageMixin
from workflows.models import StepExecution, WorkflowExecution


@admin.register(WorkflowExecution)
class WorkflowExecutionAdmin(RunControlMixin, RunPageMixin, ReadOnlyAdmin):
    resource = "workflows"
    icon = "play_circle"
    title = "Runs"
    position = 40
    list_display = (
        "workflow",
        "status",
        "trigger_type",
        "user",
        "steps_completed",
        "steps_total",
        "started_at",
        "completed_at",
    )
    list_filter = (CreatedFilter, "status", "trigger_type")
    search_fields = ("workflow__name", "workflow__slug", "error_message")
    date_hierarchy = "started_at"
    fieldsets = (
        fieldset(None, ("workflow", "workflow_version"), ("status", "current_step"), "user"),
        fieldset("Progress", ("steps_completed", "steps_total"), ("started_at", "completed_at")),
        fieldset("Start", ("trigger_type", "trigger"), ("engagement", "parent_step"), "trigger_data"),
        fieldset("Result", "error_message", "input_data", "output_data"),
        fieldset(
            "Control",
            ("priority", "concurrency_key"),
            ("deadline_at", "waiting_since"),
            ("redrive_count", "event_count"),
            collapse=True,
        ),
        fieldset("Data", "metadata", collapse=True),
    )


@admin.register(StepExecution)
class StepExecutionAdmin(ReadOnlyAdmin):
    resource = "workflows"
    icon = "footprint"
    title = "Run steps"
    position = 50
    list_display = (
        "step_id",
        "execution",
        "kind",
        "attempt",
        "agent",
        "status",
        "started_at",
        "completed_at",
    )
    list_select_related = ("execution__workflow",)
    list_filter = (CreatedFilter, "status", "kind")
    search_fields = ("step_id", "error_message")
    fieldsets = (
        fieldset(None, "execution", ("step_id", "kind", "attempt", "item"), ("agent", "status")),
        fieldset("Times", ("started_at", "completed_at"), ("wake_at", "expires_at", "deadline_at")),
        fieldset(
            "Result",
            ("error_code", "size_bytes", "storage_path"),
            "error_message",
            "input_data",
            "output_data",
        ),
        fieldset(
            "Control",
            ("priority", "time_limit"),
            ("lane_job", "claim", "takeovers"),
            ("correlation", "idempotency_key"),
            "resolution",
            collapse=True,
        ),
        fieldset("Data", "metadata", collapse=True),
    )
