"""URL routes of audit."""

from config.api.routers import ApiRouter

from . import views


def register(router: ApiRouter) -> None:
    """Register the viewsets of this app."""
    router.register("audit-logs", views.AuditLogViewSet, basename="audit-log")
    router.register("security-logs", views.SecurityLogViewSet, basename="security-log")
