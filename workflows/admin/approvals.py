"""Approvals, the people who are asked, and their decisions."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from config.admin.bases import ReadOnlyAdmin, fieldset
from config.admin.filters import CreatedFilter
from config.admin.inlines import ReadOnlyInline
from workflows.admin.approval_pages import ApprovalPageMixin
from workflows.choices import ApprovalStatus
from workflows.models import Approval, ApprovalAssignee, ApprovalDecision, ApprovalLink
from workflows.services.approvers import waiting_for


class WaitingFilter(admin.SimpleListFilter):
    """Filter by approvals that wait for the user."""

    title = "waiting"
    parameter_name = "waiting"

    def lookups(self, request, model_admin):
        return [("me", "For me")]

    def queryset(self, request, queryset):
        if self.value() != "me" or request.console.is_platform:
            return queryset
        return queryset.filter(pk__in=waiting_for(request.user.pk).values("pk"))


class AssigneeInline(ReadOnlyInline):
    model = ApprovalAssignee
    resource = "workflows"
    fields = ("user", "delegated_by", "delegated_to", "created_at")


class DecisionInline(ReadOnlyInline):
    model = ApprovalDecision
    resource = "workflows"
    fields = ("user", "decision", "comment", "values", "channel", "created_at")


@admin.register(Approval)
class ApprovalAdmin(ApprovalPageMixin, ReadOnlyAdmin):
    resource = "workflows"
    icon = "approval"
    position = 60
    list_display = (
        "prompt",
        "answer",
        "status",
        "required",
        "decided_by",
        "decided_at",
        "due_at",
        "expires_at",
    )
    list_filter = (WaitingFilter, CreatedFilter, "status")
    search_fields = ("prompt", "comment")
    inlines = (AssigneeInline, DecisionInline)
    fieldsets = (
        fieldset(None, "step", "prompt", ("status", "required"), "candidate_roles", "form"),
        fieldset("Answer", ("decided_by", "decided_at"), "comment", "values"),
        fieldset(
            "Times",
            ("due_at", "expires_at"),
            ("remind_at", "remind_seconds"),
            ("escalate_to", "escalated_at"),
            "on_reject",
        ),
    )

    @admin.display(description="answer")
    def answer(self, obj):
        """Link to the page on which people decide."""
        text = "Decide" if obj.status == ApprovalStatus.PENDING else "Show"
        address = reverse("admin:workflows_approval_decide", args=[obj.pk])
        return format_html('<a class="text-link" href="{}">{}</a>', address, text)


@admin.register(ApprovalAssignee)
class ApprovalAssigneeAdmin(ReadOnlyAdmin):
    resource = "workflows"
    icon = "person_check"
    in_sidebar = False
    list_display = ("approval", "user", "delegated_by", "delegated_to", "created_at")
    search_fields = ("approval__prompt",)


@admin.register(ApprovalDecision)
class ApprovalDecisionAdmin(ReadOnlyAdmin):
    resource = "workflows"
    icon = "gavel"
    in_sidebar = False
    list_display = ("approval", "user", "decision", "channel", "created_at")
    list_filter = ("decision", "channel")
    search_fields = ("approval__prompt", "comment")


@admin.register(ApprovalLink)
class ApprovalLinkAdmin(ReadOnlyAdmin):
    resource = "workflows"
    icon = "link"
    in_sidebar = False
    list_display = ("approval", "user", "expires_at", "used_at")
    search_fields = ("approval__prompt",)
