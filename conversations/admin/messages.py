"""Messages."""

from django.contrib import admin

from audit.admin.exports import AuditedExportMixin
from config.admin.filters import CreatedFilter
from conversations.admin.conversations import OwnConversationsAdmin
from conversations.models import Attachment, Message, MessageEmbedding


@admin.register(Message)
class MessageAdmin(AuditedExportMixin, OwnConversationsAdmin):
    """Messages of the user's conversations."""

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
    list_filter = (CreatedFilter, "status", "role")
    search_fields = ("conversation__id__exact", "model__exact")
    search_help_text = "Full conversation ID or model name."
    fieldsets = (
        (None, {"fields": (("conversation", "sequence_number"), ("role", "status"), "content", "citations")}),
        ("Failure", {"fields": (("error_code", "error_message"),)}),
        ("Origin", {"fields": (("user", "agent", "model"), ("reply_to_id", "replaces_id"), "feedback")}),
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


@admin.register(Attachment)
class AttachmentAdmin(OwnConversationsAdmin):
    """Attachments of the user's conversations."""

    icon = "attach_file"
    position = 35
    list_display = ("created_at", "filename", "media_type", "file_size", "conversation", "user")
    list_filter = (CreatedFilter, "media_type")
    search_fields = ("filename", "conversation__id__exact")
    fieldsets = (
        (None, {"fields": ("filename", ("media_type", "file_size"), ("conversation", "message", "user"))}),
        ("Data", {"fields": ("storage_path", "checksum", "metadata"), "classes": ["collapse"]}),
    )


@admin.register(MessageEmbedding)
class MessageEmbeddingAdmin(OwnConversationsAdmin):
    """Embedded messages of the user's conversations."""

    icon = "scatter_plot"
    in_sidebar = False
    list_display = ("created_at", "conversation", "embedding_model")
    search_fields = ("conversation__id__exact",)
    fieldsets = ((None, {"fields": (("conversation", "embedding_model"),)}),)

    def get_queryset(self, request):
        # Vectors and lexemes are large and not shown.
        return super().get_queryset(request).defer("embedding", "embedding_384", "words")
