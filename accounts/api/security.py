"""What a person signs in and connects with, in the API: one's own alone; sign-in and consent make the rows."""

from accounts.models import ExternalIdentity, OAuthToken, PasskeyCredential, RegisteredDevice, TwoFactorAuth
from config.api.serializers import HouseSerializer
from config.api.viewsets import DestroyMixin, ReadOnlyTenantViewSet, UpdateMixin

from .profiles import OWNER, OwnRow


class RegisteredDeviceSerializer(HouseSerializer):
    """A device one has signed in on; the name may be changed."""

    class Meta:
        model = RegisteredDevice
        fields = (
            "id",
            "user",
            "device_name",
            "device_type",
            "user_agent",
            "ip_address",
            "last_used_at",
            "is_trusted",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("device_type", "user_agent", "ip_address", "is_trusted")
        extra_kwargs = OWNER


class TwoFactorAuthSerializer(HouseSerializer):
    """Whether a second factor is on. Its secrets are not shown, not even masked."""

    class Meta:
        model = TwoFactorAuth
        fields = ("id", "user", "is_enabled", "last_used_at", "created_at", "updated_at")
        read_only_fields = fields


class PasskeyCredentialSerializer(HouseSerializer):
    """A passkey; the name may be changed."""

    class Meta:
        model = PasskeyCredential
        extra_kwargs = OWNER
        fields = (
            "id",
            "user",
            "credential_id",
            "credential_name",
            "last_used_at",
            "created_at",
            "updated_at",
        )


class ExternalIdentitySerializer(HouseSerializer):
    """That an identity provider knows the person."""

    class Meta:
        model = ExternalIdentity
        fields = (
            "id",
            "user",
            "provider",
            "subject",
            "email",
            "linked_at",
            "last_used_at",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class OAuthTokenSerializer(HouseSerializer):
    """A connected service, its tokens masked."""

    class Meta:
        model = OAuthToken
        fields = (
            "id",
            "user",
            "service",
            "access_token",
            "refresh_token",
            "token_expiry",
            "scope",
            "service_user_id",
            "service_email",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class RegisteredDeviceViewSet(UpdateMixin, DestroyMixin, ReadOnlyTenantViewSet):
    """One's devices; deleting one forgets it."""

    serializer_class = RegisteredDeviceSerializer
    resource = "credentials"
    filterset_fields = ("device_type", "is_trusted")
    ordering_fields = ("created_at", "updated_at", "device_name")


class TwoFactorAuthViewSet(OwnRow):
    """One's second factor."""

    serializer_class = TwoFactorAuthSerializer
    resource = "credentials"


class PasskeyCredentialViewSet(UpdateMixin, DestroyMixin, ReadOnlyTenantViewSet):
    """One's passkeys; deleting one ends its use."""

    serializer_class = PasskeyCredentialSerializer
    resource = "credentials"
    filterset_fields = ("credential_id",)


class ExternalIdentityViewSet(DestroyMixin, ReadOnlyTenantViewSet):
    """Providers that know the person; deleting one unlinks it."""

    serializer_class = ExternalIdentitySerializer
    resource = "credentials"
    filterset_fields = ("provider", "subject")


class OAuthTokenViewSet(DestroyMixin, ReadOnlyTenantViewSet):
    """Services that one has connected; deleting one disconnects it."""

    serializer_class = OAuthTokenSerializer
    resource = "credentials"
    filterset_fields = ("service",)
    ordering_fields = ("created_at", "updated_at", "service")
