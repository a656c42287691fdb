"""Security events and their review."""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextInputWidget

from audit.admin.exports import AuditedExportMixin
from audit.choices import ReviewState
from audit.models import SecurityAuditLog
from audit.services.security import assign_review, comment_review, mark_reviewed
from config.admin.bases import ReadOnlyAdmin, fieldset
from config.admin.filters import CreatedFilter


class ReviewActionForm(ActionForm):
    """Form of the actions, with the text of a comment."""

    comment = forms.CharField(
        required=False, max_length=2000, widget=UnfoldAdminTextInputWidget({"placeholder": "Comment"})
    )


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
        "occurrences",
        "review_state",
    )
    list_filter = (CreatedFilter, "severity", "event_category", "review_state")
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
            "Review", ("review_state", "assigned_to"), "review_comments", ("reviewed_at", "reviewed_by")
        ),
    )
    actions = ("take", "comment", "review")
    action_form = ReviewActionForm

    def has_review_permission(self, request):
        return self._may(request, "write", "UPDATE")

    @admin.action(description="Assign to me", permissions=["review"])
    def take(self, request, queryset):
        try:
            count = assign_review(queryset, reviewer_id=request.user.pk)
        except ValidationError as error:
            self.message_user(request, error.messages[0], messages.ERROR)
            return
        self.message_user(request, f"{count} events assigned to you.", messages.SUCCESS)

    @admin.action(description="Add the comment", permissions=["review"])
    def comment(self, request, queryset):
        text = request.POST.get("comment", "").strip()[:2000]
        if not text:
            self.message_user(request, "Enter a comment.", messages.ERROR)
            return
        for event in queryset.order_by().select_for_update():
            comment_review(event, text=text, author_id=request.user.pk)
        self.message_user(request, "The comment was added.", messages.SUCCESS)

    @admin.action(description="Mark as reviewed", permissions=["review"])
    def review(self, request, queryset):
        count = mark_reviewed(queryset.exclude(review_state=ReviewState.NONE), reviewer_id=request.user.pk)
        self.message_user(request, f"{count} events marked as reviewed.", messages.SUCCESS)
