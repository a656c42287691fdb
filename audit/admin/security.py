"""Security events and their review."""

from django.contrib import admin, messages

from audit.admin.exports import AuditedExportMixin
from audit.models import SecurityAuditLog
from audit.services.security import mark_reviewed
from config.admin.bases import ReadOnlyAdmin, fieldset
from config.admin.filters import CreatedFilter


class ReviewFilter(admin.SimpleListFilter):
    """Filter by review state."""

    title = "reviewed"
    parameter_name = "reviewed"

    def lookups(self, request, model_admin):
        return [("no", "not reviewed"), ("yes", "yes")]

    def queryset(self, request, queryset):
        if self.value() in ("no", "yes"):
            return queryset.filter(reviewed_at__isnull=self.value() == "no")
        return queryset


@admin.register(SecurityAuditLog)
class SecurityAuditLogAdmin(AuditedExportMixin, ReadOnlyAdmin):
    resource = "security"
    icon = "shield"
    title = "Security events"
    position = 20
    named_ids = {
        "actor_user_id": "accounts.User.email",
        "reviewed_by": "accounts.User.email",
        "assigned_to": "accounts.User.email",
    }
    list_display = (
        "created_at",
        "event_type",
        "severity",
        "result",
        "actor_email",
        "ip_address",
        "to_review",
    )
    list_filter = (CreatedFilter, "severity", "event_category", "requires_review", ReviewFilter)
    search_fields = ("event_type__exact", "actor_email__exact", "request_id__exact")
    search_help_text = "Exact event type, e-mail address or request ID."
    fieldsets = (
        fieldset(
            None,
            ("created_at", "event_type"),
            ("event_category", "severity"),
            ("action", "result"),
            ("occurrences", "last_occurred_at"),
        ),
        fieldset(
            "Who", ("actor_email", "actor_role"), "actor_user_id", ("ip_address", "request_id"), "user_agent"
        ),
        fieldset("What", ("target_type", "target_id"), "target_details", "error_code", "details"),
        fieldset(
            "Review", ("requires_review", "assigned_to"), "review_comments", ("reviewed_at", "reviewed_by")
        ),
    )
    actions = ("review",)

    @admin.display(description="Needs review", boolean=True)
    def to_review(self, obj):
        return obj.requires_review and obj.reviewed_at is None

    def has_review_permission(self, request):
        return self._may(request, "write", "UPDATE")

    @admin.action(description="Mark as reviewed", permissions=["review"])
    def review(self, request, queryset):
        count = mark_reviewed(queryset.filter(requires_review=True), reviewer_id=request.user.pk)
        self.message_user(request, f"{count} events marked as reviewed.", messages.SUCCESS)
