"""Workflow runs, created by the system."""

from django.contrib import admin

from config.admin.bases import ReadOnlyAdmin, fieldset
from config.admin.filters import CreatedFilter
from config.admin.inlines import ReadOnlyInline
from workflows.models import Approval, StepExecution, WorkflowExecution


class StepInline(ReadOnlyInline):
    """Steps of a run in start order, 20 per page."""

    model = StepExecution
    resource = "workflows"
    fields = ("step_id", "kind", "attempt", "agent", "status", "started_at", "completed_at")
    ordering = ("id",)


@admin.register(WorkflowExecution)
class WorkflowExecutionAdmin(ReadOnlyAdmin):
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
    inlines = (StepInline,)
    fieldsets = (
        fieldset(None, ("workflow", "workflow_version"), ("status", "current_step"), "user"),
        fieldset("Progress", ("steps_completed", "steps_total"), ("started_at", "completed_at")),
        fieldset("Start", ("trigger_type", "trigger"), "trigger_data"),
        fieldset("Result", "error_message", "input_data", "output_data"),
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
        fieldset(None, "execution", ("step_id", "kind", "attempt"), ("agent", "status")),
        fieldset("Times", ("started_at", "completed_at")),
        fieldset("Result", "error_message", "input_data", "output_data"),
        fieldset("Data", "metadata", collapse=True),
    )


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    resource = "workflows"
    icon = "approval"
    position = 60
    list_display = ("prompt", "status", "assigned_to", "decided_by", "decided_at", "expires_at")
    list_filter = (CreatedFilter, "status")
    search_fields = ("prompt", "comment")
    fieldsets = (
        fieldset(None, "step", "prompt", ("status", "assigned_to")),
        fieldset("Answer", ("decided_by", "decided_at"), "comment", "expires_at"),
    )
