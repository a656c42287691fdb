"""Agent insights, created by the system."""

from django.contrib import admin

from config.admin.bases import ReadOnlyAdmin, fieldset
from config.admin.filters import CreatedFilter
from workflows.models import AgentLearningPattern


@admin.register(AgentLearningPattern)
class AgentLearningPatternAdmin(ReadOnlyAdmin):
    """Agent insights, which can be deleted."""

    resource = "agent-learning-patterns"
    icon = "lightbulb"
    title = "Agent insights"
    position = 320
    list_display = (
        "insight_type",
        "discovered_by",
        "engagement",
        "confidence_score",
        "validated",
        "occurrences",
        "success_rate",
        "created_at",
    )
    list_filter = (CreatedFilter, "insight_type", "validated")
    search_fields = ("discovered_by",)
    fieldsets = (
        fieldset(None, ("insight_type", "confidence_score"), ("discovered_by", "validated")),
        fieldset("Origin", ("engagement", "master_flow"), "raw_evidence"),
        fieldset(
            "Use",
            ("occurrences", "applied_count"),
            ("failure_count", "success_rate"),
            ("last_seen_at", "last_applied_at"),
            "expires_at",
        ),
    )

    def has_delete_permission(self, request, obj=None):
        return self._may(request, "write", "DELETE")
