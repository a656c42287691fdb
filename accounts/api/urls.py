"""URL routes of accounts."""

from config.api.routers import ApiRouter

from . import invitations, profiles, security, talents, tenants, views


def register(router: ApiRouter) -> None:
    """Register the viewsets of this app."""
    router.single("me", views.MeView, "me")
    router.register("members", views.MemberViewSet, basename="member")
    router.register("invitations", invitations.InvitationViewSet, basename="invitation")
    router.single("invitations/accept", invitations.AcceptInvitationView, "invitation-accept")
    router.single("invitations/decline", invitations.DeclineInvitationView, "invitation-decline")
    router.single("me/invitations", invitations.MyInvitationsView, "my-invitations")
    router.register("roles", views.RoleViewSet, basename="role")
    router.register("role-assignments", views.RoleAssignmentViewSet, basename="role-assignment")
    router.register("api-keys", views.ApiKeyViewSet, basename="api-key")
    for name, view in (
        ("profile", profiles.UserProfileViewSet),
        ("settings", profiles.UserSettingsViewSet),
        ("work-profile", profiles.WorkProfileViewSet),
    ):
        router.single(f"me/{name}", view, f"my-{name}", get="retrieve", patch="partial_update")
    router.single("me/two-factor", security.SecondFactorView, "my-two-factor")
    router.register("model-choices", profiles.UserModelChoiceViewSet, basename="model-choice")
    router.register("devices", security.RegisteredDeviceViewSet, basename="device")
    router.register("passkeys", security.PasskeyCredentialViewSet, basename="passkey")
    router.register("external-identities", security.ExternalIdentityViewSet, basename="external-identity")
    router.register("oauth-tokens", security.OAuthTokenViewSet, basename="oauth-token")
    router.register("talents", talents.TalentViewSet, basename="talent")
    register_platform(router)


def register_platform(router: ApiRouter) -> None:
    """Register the routes for platform API keys, which are not resources of a tenant."""
    view = tenants.PlatformTenantViewSet
    router.single("tenants", view, "platform-tenant-list", get="list", post="create")
    router.single("tenants/<name:id>", view, "platform-tenant", get="retrieve", delete="destroy")
    router.single(
        "tenants/<uuid:id>/deletion",
        tenants.TenantDeletionViewSet,
        "platform-tenant-deletion",
        get="retrieve",
    )
    for name in ("suspend", "resume", "renew"):
        router.single(f"tenants/<name:id>/{name}", view, f"platform-tenant-{name}", post=name)
