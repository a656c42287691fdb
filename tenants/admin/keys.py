"""Data keys."""

from django.contrib import admin

from config.admin.bases import ReadOnlyAdmin
from tenants.models import TenantKey


@admin.register(TenantKey)
class TenantKeyAdmin(ReadOnlyAdmin):
    """Versions of data keys; the wrapped keys are never shown."""

    resource = "security"
    icon = "key_vertical"
    title = "Data keys"
    position = 80
    list_display = ("version", "kek_id", "status", "created_at")
    list_filter = ("status",)
    fields = ("version", "kek_id", "status")
