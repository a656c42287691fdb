"""Admin of connectors."""

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from unfold.decorators import display

from config.admin.bases import BaseModelAdmin, fieldset
from knowledge.choices import SyncStatus
from knowledge.models import Connector
from knowledge.services.connectors import delete_connector, request_sync


@admin.register(Connector)
class ConnectorAdmin(BaseModelAdmin):
    """Outside sources that collections mirror. Deleting a connector keeps its documents."""

    resource = "collections"
    owner = "created_by"
    icon = "sync"
    position = 15
    list_display = (
        "name",
        "kind",
        "collection",
        "sync_status",
        "is_active",
        "interval_minutes",
        "started_at",
        "failed_count",
    )
    list_filter = ("kind", "status", "is_active")
    search_fields = ("name",)
    actions = ("sync_now",)
    fieldsets = (
        fieldset(None, ("collection", "name"), ("kind", "is_active"), "config", "credentials"),
        fieldset("Schedule", ("interval_minutes", "max_deletion_percent")),
        fieldset(
            "Latest sync",
            ("status", "started_at", "finished_at"),
            ("added_count", "changed_count", "deleted_count"),
            ("unchanged_count", "failed_count"),
            "error_message",
            "item_errors",
            "created_by",
        ),
    )
    add_fieldsets = fieldsets[:2]

    @display(
        description="Status",
        ordering="status",
        label={
            SyncStatus.RUNNING.label: "info",
            SyncStatus.COMPLETED.label: "success",
            SyncStatus.PARTIAL.label: "warning",
            SyncStatus.FAILED.label: "danger",
        },
    )
    def sync_status(self, connector):
        return connector.get_status_display()

    def get_readonly_fields(self, request, obj=None):
        readonly = super().get_readonly_fields(request, obj)
        # The documents belong to the collection and have sources of this kind.
        return [*readonly, "collection", "kind"] if obj else readonly

    def delete_model(self, request, obj):
        delete_connector(obj)

    @admin.action(description="Sync now", permissions=["change"])
    def sync_now(self, request, queryset):
        try:
            for connector in queryset:
                request_sync(connector)
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            messages.success(request, "Syncs are queued. Reload the page to see their status.")
