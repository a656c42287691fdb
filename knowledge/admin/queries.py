"""Admin of recorded queries and search analytics."""

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.template.response import TemplateResponse
from django.urls import path

from config.admin.bases import ReadOnlyAdmin, fieldset
from config.admin.filters import CreatedFilter
from knowledge.models import RagQuery
from knowledge.services.analytics import MAX_DAYS, compute_search_analytics


@admin.register(RagQuery)
class RagQueryAdmin(ReadOnlyAdmin):
    """Recorded searches of the user and of jobs."""

    named_ids = {"agent_id": "agents.Agent.name", "user_id": "accounts.User.email"}
    resource = "conversations"
    icon = "manage_search"
    title = "Queries"
    position = 40
    list_display = (
        "created_at", "query_text", "collection", "retrieval_strategy", "top_score", "response_time_ms",
    )  # fmt: skip
    change_list_template = "console/queries.html"
    list_filter = (CreatedFilter, "retrieval_strategy", "user_feedback")
    fieldsets = (
        fieldset(None, "query_text", ("collection", "retrieval_strategy"), ("top_score", "response_time_ms")),
        fieldset("Results", "results", "filters", "user_feedback"),
        fieldset("Origin", ("agent_id", "conversation_id"), "user_id"),
    )

    def get_queryset(self, request):
        return super().get_queryset(request).filter(Q(user_id=request.user.pk) | Q(user_id=None))

    def get_urls(self):
        page = path(
            "analytics/", self.admin_site.admin_view(self.analytics), name="knowledge_ragquery_analytics"
        )
        return [page, *super().get_urls()]

    def analytics(self, request):
        """Show questions without good answers, slow questions and the most used documents."""
        if not self.has_view_permission(request) or request.console.is_platform:
            raise PermissionDenied
        wanted = request.GET.get("days", "")
        days = int(wanted) if wanted.isdecimal() and 1 <= int(wanted) <= MAX_DAYS else 30
        context = {
            **self.admin_site.each_context(request),
            "title": f"Searches of the last {days} days",
            "opts": self.opts,
            "periods": (7, 30, MAX_DAYS),
            "analytics": compute_search_analytics(days),
        }
        return TemplateResponse(request, "console/search_analytics.html", context)
