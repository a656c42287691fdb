"""Messages."""

from django.contrib import admin

from audit.admin.exports import AuditedExportMixin
from config.admin.bases import fieldset
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
        fieldset(None, ("conversation", "sequence_number"), ("role", "status"), "content", "citations"),
        fieldset("Failure", ("error_code", "error_message")),
        fieldset("Origin", ("user", "agent", "model"), ("reply_to_id", "replaces_id"), "feedback"),
        fieldset("Numbers", ("token_count", "cost", "latency_ms"), "confidence_score"),
        fieldset("Tools", "tool_used", "tool_calls", "tool_results", collapse=True),
        fieldset(
            "Data", "plan_step", "conversation_domain", "embedding_model_used", "metadata", collapse=True
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
        fieldset(None, "filename", ("media_type", "file_size"), ("conversation", "message", "user")),
        fieldset("Data", "storage_path", "checksum", "metadata", collapse=True),
    )


@admin.register(MessageEmbedding)
class MessageEmbeddingAdmin(OwnConversationsAdmin):
    """Embedded messages of the user's conversations."""

    icon = "scatter_plot"
    in_sidebar = False
    list_display = ("created_at", "conversation", "embedding_model")
    search_fields = ("conversation__id__exact",)
    fieldsets = (fieldset(None, ("conversation", "embedding_model")),)

    def get_queryset(self, request):
        # Vectors and lexemes are large and not shown.
        return super().get_queryset(request).defer("embedding", "embedding_384", "words")
