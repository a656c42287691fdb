"""Activities, their types, statuses and assignments."""

from django.contrib import admin

from config.admin.bases import BaseModelAdmin, fieldset
from config.admin.inlines import BaseInline
from workflows.models import Activity, ActivityAssignment, ActivityStatus, ActivityType
from workflows.services.activities import announce_assignment


class AssignmentInline(BaseInline):
    model = ActivityAssignment
    resource = "activities"
    fields = ("user", "role")
    verbose_name = "person"
    verbose_name_plural = "assignments"


@admin.register(Activity)
class ActivityAdmin(BaseModelAdmin):
    resource = "activities"
    icon = "event_available"
    position = 400
    list_display = ("name", "activity_type", "status", "start_date", "end_date")
    list_filter = ("activity_type", "status")
    search_fields = ("name", "description")
    date_hierarchy = "start_date"
    inlines = (AssignmentInline,)
    fieldsets = (
        fieldset(None, "name", "description", ("activity_type", "status")),
        fieldset("Time", ("start_date", "end_date")),
    )

    def save_formset(self, request, form, formset, change):
        super().save_formset(request, form, formset, change)
        reassigned = [assignment for assignment, names in formset.changed_objects if "user" in names]
        for assignment in [*formset.new_objects, *reassigned]:
            announce_assignment(assignment)


@admin.register(ActivityAssignment)
class ActivityAssignmentAdmin(BaseModelAdmin):
    resource = "activities"
    icon = "assignment_ind"
    in_sidebar = False
    list_display = ("activity", "user", "role", "assigned_at")
    search_fields = ("activity__name", "role")
    fieldsets = (fieldset(None, "activity", ("user", "role")),)

    def save_model(self, request, obj, form, change):
        super().save_model(request, obj, form, change)
        if not change or "user" in form.changed_data:
            announce_assignment(obj)


@admin.register(ActivityType)
class ActivityTypeAdmin(BaseModelAdmin):
    resource = "activities"
    icon = "category"
    position = 410
    list_display = ("name", "created_at")
    search_fields = ("name",)


@admin.register(ActivityStatus)
class ActivityStatusAdmin(BaseModelAdmin):
    resource = "activities"
    icon = "flag"
    position = 420
    list_display = ("name", "created_at")
    search_fields = ("name",)
