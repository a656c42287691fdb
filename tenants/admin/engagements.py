"""Console pages of engagements."""

from django.contrib import admin

from config.admin.bases import BaseModelAdmin, fieldset
from tenants.models import Engagement


@admin.register(Engagement)
class EngagementAdmin(BaseModelAdmin):
    resource = "engagements"
    icon = "work"
    position = 20
    owner = "created_by"
    list_display = ("name", "engagement_type", "status", "start_date", "end_date", "created_by")
    list_filter = ("status", "engagement_type")
    search_fields = ("name",)
    fieldsets = (
        fieldset(None, "name", "description", ("engagement_type", "status")),
        fieldset("Time", ("start_date", "end_date")),
        fieldset("Extent", ("target_applications", "target_infrastructure_units"), "estimated_complexity"),
        fieldset("Origin", "created_by"),
    )
