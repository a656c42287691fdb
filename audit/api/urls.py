"""URL routes of audit."""

from config.api.routers import HouseRouter

from . import views


def register(router: HouseRouter) -> None:
    """Register the viewsets of this app."""
    router.register("audit-logs", views.AuditLogViewSet, basename="audit-log")
    router.register("security-logs", views.SecurityLogViewSet, basename="security-log")
