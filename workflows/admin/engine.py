"""Lanes of the workflow engine and the events of runs."""

from django.contrib import admin

from config.admin.bases import ReadOnlyAdmin, fieldset
from config.admin.filters import CreatedFilter
from workflows.models import WorkflowEvent, WorkflowGate, WorkflowLane


@admin.register(WorkflowLane)
class WorkflowLaneAdmin(ReadOnlyAdmin):
    resource = "workflows"
    icon = "linear_scale"
    title = "Lanes"
    position = 70
    list_display = ("lane", "status", "job", "updated_at")
    list_filter = ("status",)
    fieldsets = (fieldset(None, ("lane", "status", "job")),)


@admin.register(WorkflowGate)
class WorkflowGateAdmin(ReadOnlyAdmin):
    resource = "workflows"
    icon = "tune"
    title = "Number of lanes"
    position = 72
    list_display = ("lanes", "created_at")
    fieldsets = (fieldset(None, "lanes"),)


@admin.register(WorkflowEvent)
class WorkflowEventAdmin(ReadOnlyAdmin):
    resource = "workflows"
    icon = "history"
    title = "Run events"
    position = 55
    list_display = ("created_at", "execution", "sequence_number", "kind")
    list_select_related = ("execution__workflow",)
    list_filter = (CreatedFilter, "kind")
    search_fields = ("execution__id__exact",)
    fieldsets = (fieldset(None, ("execution", "sequence_number", "kind"), "data"),)
