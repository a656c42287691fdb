"""Messages."""

from django.contrib import admin

from config.admin.bases import ReadOnlyAdmin
from config.admin.exports import ExportsRows
from config.admin.filters import AgeFilter
from conversations.admin.conversations import visible
from conversations.models import Message


@admin.register(Message)
class MessageAdmin(ExportsRows, ReadOnlyAdmin):
    """What was said in one's own conversations."""

    resource = "conversations"
    icon = "chat"
    position = 30
    list_display = (
        "created_at",
        "conversation",
        "sequence_number",
        "role",
        "status",
        "model",
        "token_count",
        "cost",
    )
    list_filter = (AgeFilter, "status", "role")
    search_fields = ("conversation__id__exact", "model__exact")
    search_help_text = "A whole conversation id or model name."
    fieldsets = (
        (None, {"fields": (("conversation", "sequence_number"), ("role", "status"), "content", "citations")}),
        ("Failure", {"fields": (("error_code", "error_message"),)}),
        ("Origin", {"fields": (("user", "agent", "model"), "reply_to_id")}),
        ("Numbers", {"fields": (("token_count", "cost", "latency_ms"), "confidence_score")}),
        ("Tools", {"fields": ("tool_used", "tool_calls", "tool_results"), "classes": ["collapse"]}),
        (
            "Data",
            {
                "fields": ("plan_step", "conversation_domain", "embedding_model_used", "metadata"),
                "classes": ["collapse"],
            },
        ),
    )

    def get_queryset(self, request):
        return super().get_queryset(request).filter(conversation__in=visible(request))
