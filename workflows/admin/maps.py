"""Progress and finished items of maps."""

from django.contrib import admin

from config.admin.bases import ReadOnlyAdmin, fieldset
from config.admin.filters import CreatedFilter
from workflows.models import MapItem, MapRange, MapState


@admin.register(MapItem)
class MapItemAdmin(ReadOnlyAdmin):
    resource = "workflows"
    icon = "checklist"
    title = "Map items"
    position = 56
    list_display = ("step", "position", "status", "error_code", "created_at")
    list_filter = (CreatedFilter, "status")
    search_fields = ("step__id__exact", "error_message")
    fieldsets = (
        fieldset(None, ("step", "position", "status")),
        fieldset("Result", "error_code", "error_message", "output_data"),
    )


@admin.register(MapState)
class MapStateAdmin(ReadOnlyAdmin):
    resource = "workflows"
    icon = "donut_large"
    title = "Maps"
    position = 57
    list_display = ("step", "total", "next", "done", "failed")
    fieldsets = (fieldset(None, "step", ("total", "next"), ("done", "failed"), "items"),)


@admin.register(MapRange)
class MapRangeAdmin(ReadOnlyAdmin):
    resource = "workflows"
    icon = "data_array"
    title = "Map ranges"
    position = 58
    list_display = ("step", "start", "stop", "helper", "is_done")
    list_filter = ("is_done",)
    fieldsets = (fieldset(None, "step", ("start", "stop"), ("helper", "is_done")),)
