"""Read-only conversation report."""

from django.contrib import admin

from audit.admin.exports import AuditedExportMixin
from config.admin.bases import ReadOnlyAdmin, fieldset
from conversations.models import ConversationActivityDaily


@admin.register(ConversationActivityDaily)
class ConversationActivityDailyAdmin(AuditedExportMixin, ReadOnlyAdmin):
    resource = "usage"
    icon = "query_stats"
    title = "Daily activity"
    position = 90
    list_display = (
        "date",
        "conversations",
        "people",
        "questions",
        "answers",
        "failed_answers",
        "cost",
        "p95_latency_ms",
    )
    date_hierarchy = "date"
    fieldsets = (
        fieldset(
            None,
            "date",
            ("conversations", "people"),
            ("questions", "answers", "failed_answers"),
            ("token_count", "cost", "p95_latency_ms"),
        ),
    )
