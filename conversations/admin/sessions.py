"""Session states, session summaries and stream events."""

from django.contrib import admin

from config.admin.bases import fieldset
from config.admin.filters import CreatedFilter
from conversations.admin.conversations import OwnConversationsAdmin
from conversations.models import SessionState, SessionSummary, StreamEvent


@admin.register(SessionState)
class SessionStateAdmin(OwnConversationsAdmin):
    icon = "pending"
    title = "Session states"
    position = 50
    list_display = ("updated_at", "conversation", "mode", "phase", "interview_type")
    list_filter = ("mode", "phase")
    search_fields = ("conversation__id__exact",)
    fieldsets = (fieldset(None, "conversation", ("mode", "phase", "interview_type"), "state"),)


@admin.register(SessionSummary)
class SessionSummaryAdmin(OwnConversationsAdmin):
    icon = "summarize"
    title = "Summaries"
    position = 55
    list_display = (
        "ended_at",
        "conversation",
        "conversation_domain",
        "message_count",
        "resolution_status",
        "session_rating",
        "follow_up_suggested",
    )
    list_filter = (CreatedFilter, "resolution_status", "complexity_level", "follow_up_suggested")
    search_fields = ("summary", "conversation_domain")
    fieldsets = (
        fieldset(None, ("conversation", "user"), "summary", ("started_at", "ended_at")),
        fieldset(
            "Outcome",
            ("resolution_status", "complexity_level", "session_rating"),
            "decisions_made",
            ("follow_up_suggested", "follow_up_tasks"),
        ),
        fieldset("Subject", "conversation_domain", "key_topics", "search_keywords", "user_preferences"),
        fieldset(
            "Numbers",
            ("message_count", "total_tokens_used"),
            ("plans_created", "expert_questions_asked"),
            "model",
            "tools_used",
        ),
    )


@admin.register(StreamEvent)
class StreamEventAdmin(OwnConversationsAdmin):
    icon = "stream"
    title = "Stream"
    position = 60
    list_display = ("created_at", "conversation", "sequence_number", "event_type", "phase", "expert_name")
    list_filter = (CreatedFilter, "event_type", "phase")
    search_fields = ("conversation__id__exact", "expert_name__exact")
    search_help_text = "Full conversation ID or expert name."
    fieldsets = (
        fieldset(
            None,
            ("conversation", "answer_id", "sequence_number"),
            ("event_type", "phase", "expert_name"),
            "message",
        ),
    )
