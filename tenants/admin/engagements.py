"""Console pages of engagements."""

from django.contrib import admin
from django.shortcuts import redirect
from unfold.decorators import action

from config.admin.bases import BaseModelAdmin, fieldset
from tenants.models import Engagement


@admin.register(Engagement)
class EngagementAdmin(BaseModelAdmin):
    resource = "engagements"
    actions_list = ("choose_engagement",)
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

    @action(description="Limit the console to an engagement", url_path="choose")
    def choose_engagement(self, request):
        """Open the page that limits the console."""
        return redirect("admin:engagement")
