"""Console pages for platform adapters and credentials."""

from django.contrib import admin

from agents.models import PlatformAdapter, PlatformCredential
from config.admin.bases import BaseModelAdmin, fieldset


@admin.register(PlatformAdapter)
class PlatformAdapterAdmin(BaseModelAdmin):
    resource = "integrations"
    icon = "power"
    position = 32
    list_display = ("adapter_name", "version", "adapter_type", "status", "last_health_check_at")
    list_filter = ("adapter_type", "status")
    search_fields = ("adapter_name",)
    fieldsets = (
        fieldset(None, ("adapter_name", "version"), ("adapter_type", "status")),
        fieldset("Capabilities", "supported_platforms", "capabilities", "configuration_schema"),
        fieldset("Health", ("health_check_url", "last_health_check_at")),
    )


@admin.register(PlatformCredential)
class PlatformCredentialAdmin(BaseModelAdmin):
    resource = "integrations"
    icon = "vpn_key"
    position = 34
    owner = "created_by"
    list_display = (
        "credential_name",
        "platform_adapter",
        "credential_type",
        "status",
        "expires_at",
        "last_rotated_at",
    )
    list_filter = ("status", "credential_type")
    search_fields = ("credential_name", "platform_adapter__adapter_name")
    fieldsets = (
        fieldset(None, ("credential_name", "credential_type"), "platform_adapter", "credentials"),
        fieldset("State", ("status", "expires_at", "last_rotated_at"), "vault_path", "created_by"),
    )
