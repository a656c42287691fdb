"""The audit log and its seals."""

from django.contrib import admin

from audit.admin.exports import AuditedExportMixin
from audit.models import AuditLog, AuditSeal
from config.admin.bases import ReadOnlyAdmin, fieldset
from config.admin.filters import CreatedFilter
from config.admin.name_resolution import ResolveGenericMixin, is_uuid


@admin.register(AuditLog)
class AuditLogAdmin(AuditedExportMixin, ResolveGenericMixin, ReadOnlyAdmin):
    resource = "audit"
    icon = "history"
    title = "Audit log"
    position = 10
    named_ids = {"user_id": "accounts.User.email"}
    list_display = ("created_at", "action", "thing", "who", "ip_address", "status")
    list_filter = (CreatedFilter, "status")
    search_fields = ("action__exact", "resource_id__exact", "actor__exact", "request_id__exact")
    search_help_text = "Exact action, resource ID, actor or request ID."
    fieldsets = (
        fieldset(
            None,
            ("created_at", "status"),
            "action",
            "thing",
            ("resource_type", "resource_id"),
            "error_message",
        ),
        fieldset("Who", ("actor", "user_id"), ("ip_address", "db_user"), "request_id", "user_agent"),
        fieldset("Changes", "old_values", "new_values", "metadata"),
    )

    def get_object_key(self, obj):
        return obj.resource_type, obj.resource_id

    @admin.display(description="Actor", ordering="actor")
    def who(self, obj):
        """Return the user and their credential, or the name of a system actor."""
        kind, _, rest = obj.actor.partition(":")
        if obj.user_id_name:
            return obj.user_id_name if kind == "user" else f"{obj.user_id_name} ({kind})"
        return f"{kind}: {rest[-12:]}" if is_uuid(rest) else obj.actor


@admin.register(AuditSeal)
class AuditSealAdmin(ReadOnlyAdmin):
    """Hash chain of the audit log, visible to platform staff only."""

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

    @admin.display(description="Previous hash")
    def prev_hex(self, obj):
        return bytes(obj.prev).hex()
