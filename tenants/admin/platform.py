"""Platform settings and Omni-Bridge links."""

from django.contrib import admin

from config.admin.bases import BaseModelAdmin, fieldset
from tenants.models import BridgeSync, SystemSetting


@admin.register(SystemSetting)
class SystemSettingAdmin(BaseModelAdmin):
    resource = "settings"
    icon = "tune"
    title = "Platform settings"
    position = 60
    list_display = ("key", "value_start", "is_public", "updated_at")
    list_filter = ("is_public",)
    search_fields = ("key", "description")
    ordering = ("key",)
    fieldsets = (fieldset(None, "key", "value", "description", "is_public"),)

    @admin.display(description="Value")
    def value_start(self, obj):
        return obj.value if len(obj.value) <= 80 else f"{obj.value[:79]}…"


@admin.register(BridgeSync)
class BridgeSyncAdmin(BaseModelAdmin):
    resource = "bridges"
    icon = "link"
    title = "Bridges"
    position = 62
    owner = "user"
    list_display = ("url", "user", "sync_enabled", "sync_status", "last_sync_at")
    list_filter = ("sync_status", "sync_enabled")
    search_fields = ("url", "user__email")
    fieldsets = (
        fieldset(None, "url", "api_key", "sync_enabled", "sync_data"),
        fieldset("State", ("sync_status", "last_sync_at"), "user"),
    )
