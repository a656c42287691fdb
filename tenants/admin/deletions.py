"""Deletions of tenants."""

from django.contrib import admin

from config.admin.bases import ReadOnlyAdmin
from tenants.models import TenantDeletion


@admin.register(TenantDeletion)
class TenantDeletionAdmin(ReadOnlyAdmin):
    """Deletions of organisations with their reports, visible to platform staff only."""

    resource = "tenant"
    icon = "delete_forever"
    position = 96
    list_display = ("deleted_tenant_id", "status", "requested_by", "started_at", "completed_at")
    list_filter = ("status",)
    fields = (
        "deleted_tenant_id",
        "status",
        "requested_by",
        "started_at",
        "completed_at",
        "files",
        "rows",
        "error",
    )
