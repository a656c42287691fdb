"""Retrievals."""

from django.contrib import admin
from django.db.models import Q

from config.admin.bases import ReadOnlyAdmin
from config.admin.filters import AgeFilter
from config.admin.names import NamesIds
from knowledge.models import RagQuery


@admin.register(RagQuery)
class RagQueryAdmin(NamesIds, ReadOnlyAdmin):
    """What was searched for: one's own queries, and those that were nobody's."""

    named_ids = {"agent_id": "agents.Agent.name", "user_id": "accounts.User.email"}
    resource = "conversations"
    icon = "manage_search"
    title = "Queries"
    position = 40
    list_display = (
        "created_at", "query_text", "collection", "retrieval_strategy", "top_score", "response_time_ms",
    )  # fmt: skip
    list_filter = (AgeFilter, "retrieval_strategy", "user_feedback")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "query_text",
                    ("collection", "retrieval_strategy"),
                    ("top_score", "response_time_ms"),
                )
            },
        ),
        ("Results", {"fields": ("results", "filters", "user_feedback")}),
        ("Origin", {"fields": (("agent_id", "conversation_id"), "user_id")}),
    )

    def get_queryset(self, request):
        return super().get_queryset(request).filter(Q(user_id=request.user.pk) | Q(user_id=None))
