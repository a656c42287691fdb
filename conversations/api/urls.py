"""Routes of the conversations API."""

from config.api.routers import ApiRouter

from . import (
    attachments,
    exports,
    participants,
    question_generation,
    reports,
    search,
    sessions,
    tools,
    views,
)

BELOW = "conversations/<uuid:conversation_id>"


def register(router: ApiRouter) -> None:
    """Register the resources of this app."""
    router.single("conversations/search", search.MessageSearchView, "conversation-search")
    router.single(f"{BELOW}/export", exports.ExportView, "conversation-export")
    router.single(
        "collections/<name:collection_id>/generate-questions",
        question_generation.QuestionGenerationView,
        "collection-generate-questions",
    )
    router.register("conversations", views.ConversationViewSet, basename="conversation")
    router.register(f"{BELOW}/messages", views.MessageViewSet, basename="message")
    router.register(f"{BELOW}/participants", participants.ParticipantViewSet, basename="participant")
    router.register(f"{BELOW}/tool-executions", tools.ToolExecutionViewSet, basename="tool-execution")
    router.register(
        f"{BELOW}/mcp-tool-executions", views.McpToolExecutionViewSet, basename="mcp-tool-execution"
    )
    router.register(f"{BELOW}/attachments", attachments.AttachmentViewSet, basename="attachment")
    router.register(
        "reports/conversations", reports.ConversationActivityDailyViewSet, basename="report-conversations"
    )
    router.register("session-states", sessions.SessionStateViewSet, basename="session-state")
    router.register("session-summaries", sessions.SessionSummaryViewSet, basename="session-summary")
    router.register(f"{BELOW}/stream-events", sessions.StreamEventViewSet, basename="stream-event")
