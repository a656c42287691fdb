"""Platform API keys."""

from django.contrib import admin

from accounts.models import PlatformKey
from config.admin.bases import ReadOnlyAdmin


@admin.register(PlatformKey)
class PlatformKeyAdmin(ReadOnlyAdmin):
    """Keys of the platform, visible to platform staff only. `manage.py platform_key` creates and revokes them."""

    resource = "api-keys"
    icon = "key"
    title = "Platform API keys"
    position = 95
    list_display = ("name", "key_prefix", "status", "rate_limit", "expires_at", "last_used_at")
    list_filter = ("status",)
    search_fields = ("name", "key_prefix")
    fields = ("name", "key_prefix", "scopes", "status", "rate_limit", "expires_at", "last_used_at")
