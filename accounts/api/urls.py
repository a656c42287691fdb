"""Addresses of accounts."""

from config.api.routers import HouseRouter

from . import views


def register(router: HouseRouter) -> None:
    """Add the resources of this app."""
    router.single("me", views.MeView, "me")
    router.register("members", views.MemberViewSet, basename="member")
    router.register("roles", views.RoleViewSet, basename="role")
    router.register("role-assignments", views.RoleAssignmentViewSet, basename="role-assignment")
    router.register("api-keys", views.ApiKeyViewSet, basename="api-key")
