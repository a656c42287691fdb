"""Console pages of engagements."""

from django.contrib import admin

from config.admin.bases import BaseModelAdmin
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
        (None, {"fields": ("name", "description", ("engagement_type", "status"))}),
        ("Time", {"fields": (("start_date", "end_date"),)}),
        (
            "Extent",
            {"fields": (("target_applications", "target_infrastructure_units"), "estimated_complexity")},
        ),
        ("Origin", {"fields": ("created_by",)}),
    )
