"""Regions and replication."""

from django.contrib import admin

from config.admin.bases import BaseModelAdmin, ReadOnlyAdmin, fieldset
from tenants.models import CrossRegionSyncLog, Region, ReplicationStatus, TenantRegion

from .platform_grants import PlatformGrantAdmin


@admin.register(Region)
class RegionAdmin(BaseModelAdmin):
    resource = "regions"
    icon = "public"
    position = 50
    list_display = ("code", "name", "provider", "country_code", "status", "is_default")
    list_filter = ("status", "provider", "country_code")
    search_fields = ("code", "name")
    ordering = ("code",)
    fieldsets = (
        fieldset(None, ("code", "name"), ("status", "is_default")),
        fieldset("Place", ("provider", "country_code"), "endpoint_url"),
        fieldset("Data", "metadata", collapse=True),
    )


@admin.register(TenantRegion)
class TenantRegionAdmin(PlatformGrantAdmin):
    resource = "regions"
    icon = "location_on"
    title = "Regions of organisations"
    position = 52
    list_display = ("region", "role", "status", "is_residency_required", "activated_at")
    list_filter = ("role", "status", "region", "is_residency_required")
    search_fields = ("region__code", "region__name")
    fieldsets = (
        fieldset(None, "region", ("role", "status"), "is_residency_required", "activated_at"),
        fieldset("Data", "metadata", collapse=True),
    )


@admin.register(ReplicationStatus)
class ReplicationStatusAdmin(ReadOnlyAdmin):
    resource = "regions"
    icon = "sync_alt"
    title = "Replication"
    position = 54
    list_display = ("source_region", "target_region", "state", "lag_ms", "lag_bytes", "checked_at")
    list_filter = ("state", "source_region", "target_region")
    search_fields = ("slot_name__exact",)
    fieldsets = (
        fieldset(None, ("source_region", "target_region"), ("state", "slot_name")),
        fieldset("Lag", ("lag_ms", "lag_bytes"), ("last_synced_at", "checked_at"), "last_error"),
    )


@admin.register(CrossRegionSyncLog)
class CrossRegionSyncLogAdmin(ReadOnlyAdmin):
    resource = "regions"
    icon = "swap_horiz"
    title = "Cross-region syncs"
    position = 56
    list_display = ("started_at", "source_region", "target_region", "resource_type", "status", "rows_synced")
    list_filter = ("status", "source_region", "target_region")
    search_fields = ("resource_type__exact",)
    fieldsets = (
        fieldset(None, ("source_region", "target_region"), ("resource_type", "status")),
        fieldset("Extent", ("rows_synced", "bytes_synced"), ("started_at", "completed_at")),
        fieldset("More", "error_message", "metadata"),
    )
