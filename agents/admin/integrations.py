"""Accounts at providers."""

from django.contrib import admin

from agents.models import Integration
from config.admin.bases import HouseAdmin


@admin.register(Integration)
class IntegrationAdmin(HouseAdmin):
    resource = "integrations"
    icon = "cable"
    position = 30
    owner = "user"
    list_display = ("name", "platform", "base_url", "status", "last_sync_at", "user")
    list_filter = ("platform", "status")
    search_fields = ("name", "base_url")
    fieldsets = (
        (None, {"fields": (("name", "platform"), "base_url", "credentials")}),
        ("State", {"fields": (("status", "last_sync_at"), "last_error", "usage_stats", "user")}),
        ("Data", {"fields": ("config",), "classes": ["collapse"]}),
    )
