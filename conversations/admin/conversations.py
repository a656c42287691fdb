"""Conversations. Users see only their own, regardless of role (promise G3)."""

from django.contrib import admin

from config.admin.bases import BaseModelAdmin, ReadOnlyAdmin, fieldset
from config.admin.filters import CreatedFilter
from config.admin.inlines import ReadOnlyInline
from conversations.models import Conversation, Message, Participant


class MessageInline(ReadOnlyInline):
    """Messages in order, 20 per page."""

    model = Message
    resource = "conversations"
    fields = ("sequence_number", "role", "content", "status", "token_count", "created_at")
    ordering = ("sequence_number",)
    hide_title = False


@admin.register(Conversation)
class ConversationAdmin(BaseModelAdmin):
    resource = "conversations"
    icon = "forum"
    position = 10
    list_display = ("__str__", "user", "agent", "status", "message_count", "total_tokens", "last_message_at")
    list_filter = (CreatedFilter, "status", "mode")
    search_fields = ("title",)
    inlines = (MessageInline,)
    fieldsets = (
        fieldset(None, "title", ("status", "mode"), ("user", "agent"), ("forked_from", "forked_at_id")),
        fieldset("Numbers", ("message_count", "total_tokens", "total_cost")),
        fieldset("Times", ("started_at", "last_message_at", "completed_at")),
        fieldset("Data", "context", "metadata", collapse=True),
    )
    readonly_fields = ("agent", "mode")

    def get_queryset(self, request):
        return super().get_queryset(request).visible_to(request.user.pk)

    def has_add_permission(self, request, obj=None):
        """Disallow adding, because the API creates conversations."""
        return False


class OwnConversationsAdmin(ReadOnlyAdmin):
    """Limits rows to conversations that are visible to the user."""

    resource = "conversations"

    def get_queryset(self, request):
        conversations = Conversation.objects.visible_to(request.user.pk).order_by().values("pk")
        return super().get_queryset(request).filter(conversation__in=conversations)


@admin.register(Participant)
class ParticipantAdmin(OwnConversationsAdmin):
    icon = "group"
    position = 20
    list_display = ("conversation", "user", "agent", "role", "created_at")
    list_filter = ("role",)
    fields = ("conversation", ("user", "agent"), "role")
