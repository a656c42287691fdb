"""Addresses of tenants."""

from config.api.routers import HouseRouter

from . import views


def register(router: HouseRouter) -> None:
    """Add the resources of this app."""
    router.single("tenant", views.OwnTenantViewSet, "tenant", get="retrieve", patch="partial_update")
    router.register("engagements", views.EngagementViewSet, basename="engagement")
