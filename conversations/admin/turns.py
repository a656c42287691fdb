"""Answers in progress and their steps."""

from django.contrib import admin

from config.admin.bases import fieldset
from config.admin.filters import CreatedFilter
from conversations.admin.conversations import OwnConversationsAdmin
from conversations.models import AnswerLease, TurnStep


@admin.register(AnswerLease)
class AnswerLeaseAdmin(OwnConversationsAdmin):
    icon = "hourglass_top"
    title = "Answers in progress"
    position = 65
    list_display = ("created_at", "conversation", "kind", "lease_until", "attempts", "takeovers")
    list_filter = ("kind",)
    search_fields = ("conversation__id__exact",)
    fieldsets = (
        fieldset(
            None,
            ("conversation", "message"),
            ("kind", "lease_until"),
            ("attempts", "takeovers"),
            ("user", "actor"),
        ),
    )


@admin.register(TurnStep)
class TurnStepAdmin(OwnConversationsAdmin):
    icon = "format_list_numbered"
    title = "Answer steps"
    position = 70
    list_display = ("created_at", "conversation", "message", "number", "kind", "call_id")
    list_filter = (CreatedFilter, "kind")
    search_fields = ("conversation__id__exact", "message__id__exact")
    fieldsets = (fieldset(None, ("conversation", "message"), ("number", "kind", "call_id"), "payload"),)
