"""Addresses of audit."""

from config.api.routers import HouseRouter

from . import views


def register(router: HouseRouter) -> None:
    """Add the resources of this app."""
    router.register("audit-logs", views.AuditLogViewSet, basename="audit-log")
    router.register("security-logs", views.SecurityLogViewSet, basename="security-log")
