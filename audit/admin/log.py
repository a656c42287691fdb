"""The audit log and its seals."""

from django.contrib import admin

from audit.models import AuditLog, AuditSeal
from config.admin.bases import ReadOnlyAdmin
from config.admin.exports import ExportsRows
from config.admin.filters import AgeFilter


@admin.register(AuditLog)
class AuditLogAdmin(ExportsRows, ReadOnlyAdmin):
    resource = "audit"
    icon = "history"
    title = "Audit log"
    position = 10
    list_display = ("created_at", "action", "resource_type", "resource_id", "actor", "ip_address", "status")
    list_filter = (AgeFilter, "status")
    search_fields = ("action__exact", "resource_id__exact", "actor__exact", "request_id__exact")
    search_help_text = "A whole action, resource id, actor or request id."
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("created_at", "status"),
                    "action",
                    ("resource_type", "resource_id"),
                    "error_message",
                )
            },
        ),
        ("Who", {"fields": (("actor", "user_id"), ("ip_address", "db_user"), "request_id", "user_agent")}),
        ("Changes", {"fields": ("old_values", "new_values", "metadata")}),
    )


@admin.register(AuditSeal)
class AuditSealAdmin(ReadOnlyAdmin):
    """The chain of hashes over the log; only the platform sees it."""

    resource = "audit"
    icon = "verified"
    title = "Seals"
    position = 30
    list_display = ("n", "partition", "row_count", "sealed_at")
    fields = (
        "n",
        "partition",
        ("xid_lo", "xid_hi"),
        "row_count",
        "hash_hex",
        "root_hex",
        "prev_hex",
        "sealed_at",
    )
    readonly_fields = ("hash_hex", "root_hex", "prev_hex")

    @admin.display(description="Hash")
    def hash_hex(self, obj):
        return bytes(obj.hash).hex()

    @admin.display(description="Root")
    def root_hex(self, obj):
        return bytes(obj.root).hex()

    @admin.display(description="Hash before")
    def prev_hex(self, obj):
        return bytes(obj.prev).hex()
