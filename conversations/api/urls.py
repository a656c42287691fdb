"""Addresses of conversations."""

from config.api.routers import HouseRouter

from . import views

BELOW = "conversations/<uuid:conversation_id>"


def register(router: HouseRouter) -> None:
    """Add the resources of this app."""
    router.register("conversations", views.ConversationViewSet, basename="conversation")
    router.register(f"{BELOW}/messages", views.MessageViewSet, basename="message")
    router.register(f"{BELOW}/participants", views.ParticipantViewSet, basename="participant")
    router.register(f"{BELOW}/tool-executions", views.ToolExecutionViewSet, basename="tool-execution")
