"""Admin of embeddings and learning patterns."""

from django.contrib import admin

from config.admin.bases import ReadOnlyAdmin, fieldset
from knowledge.models import Embedding, LearningPattern


@admin.register(Embedding)
class EmbeddingAdmin(ReadOnlyAdmin):
    resource = "collections"
    icon = "bubble_chart"
    position = 35
    list_display = ("__str__", "embedding_model", "created_at")
    list_filter = ("embedding_model",)
    search_fields = ("content",)
    fieldsets = (fieldset(None, "content", "embedding_model", "metadata"),)

    def get_queryset(self, request):
        # Texts that belong to another object are read there, with the permissions of that object.
        return super().get_queryset(request).filter(source_id=None)


@admin.register(LearningPattern)
class LearningPatternAdmin(ReadOnlyAdmin):
    """Learning patterns of the user, who can delete them."""

    resource = "learning-patterns"
    icon = "psychology"
    position = 55
    list_display = ("pattern_type", "user", "confidence", "occurrences", "success_rate", "last_seen_at")
    list_filter = ("pattern_type",)
    search_fields = ("user__email",)
    fieldsets = (
        fieldset(None, ("pattern_type", "user"), "data"),
        fieldset(
            "Evidence",
            ("confidence", "last_seen_at"),
            ("occurrences", "applied_count"),
            ("failure_count", "success_rate"),
        ),
    )

    def has_delete_permission(self, request, obj=None):
        return self._may(request, "write", "DELETE")
