"""Admin of search evaluations."""

from django.contrib import admin

from config.admin.bases import ReadOnlyAdmin, fieldset
from config.admin.filters import CreatedFilter
from knowledge.models import RagEvaluation


@admin.register(RagEvaluation)
class RagEvaluationAdmin(ReadOnlyAdmin):
    """Search quality on judged questions."""

    resource = "collections"
    icon = "speed"
    title = "Evaluations"
    in_sidebar = False
    list_display = ("name", "collection", "status", "completed_at")
    list_filter = (CreatedFilter, "status")
    fieldsets = (
        fieldset(None, "name", ("collection", "status"), "completed_at", "error_message"),
        fieldset("Metrics", "results", "differences", ("is_baseline", "tolerance"), "scores", "judgements"),
    )
