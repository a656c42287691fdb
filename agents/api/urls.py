"""Addresses of agents."""

from config.api.routers import HouseRouter

from . import views


def register(router: HouseRouter) -> None:
    """Add the resources of this app."""
    router.register("agents", views.AgentViewSet, basename="agent")
    router.register("agent-versions", views.AgentVersionViewSet, basename="agent-version")
    router.register("integrations", views.IntegrationViewSet, basename="integration")
    router.register("llm-usage", views.LlmUsageViewSet, basename="llm-usage")
