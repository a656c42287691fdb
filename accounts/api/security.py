"""Endpoints for the caller's devices, credentials and connected services."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from accounts.models import ExternalIdentity, OAuthToken, PasskeyCredential, RegisteredDevice
from accounts.services.signin import find_second_factor
from config.api.serializers import BaseSerializer, ReadOnlySerializer
from config.api.views import ApiView, json_response
from config.api.viewsets import DestroyMixin, ReadOnlyTenantViewSet, UpdateMixin

from .profiles import OWNER


class RegisteredDeviceSerializer(BaseSerializer):
    """A device that you signed in on. You can change its name."""

    class Meta:
        model = RegisteredDevice
        fields = (
            "user",
            "device_name",
            "device_type",
            "user_agent",
            "ip_address",
            "last_used_at",
            "is_trusted",
        )
        read_only_fields = ("device_type", "user_agent", "ip_address", "is_trusted")
        extra_kwargs = OWNER


class SecondFactorSerializer(serializers.Serializer):
    """Status of two-factor authentication. Secrets are never returned."""

    is_enabled = serializers.BooleanField(help_text="Whether sign-in requires a code.")
    created_at = serializers.DateTimeField(allow_null=True, help_text="Time of the set-up.")
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="Latest code use.")


class PasskeyCredentialSerializer(BaseSerializer):
    """A passkey. You can change its name."""

    class Meta:
        model = PasskeyCredential
        extra_kwargs = OWNER
        fields = ("user", "credential_id", "credential_name", "last_used_at")


class ExternalIdentitySerializer(ReadOnlySerializer):
    """An identity at an external identity provider."""

    class Meta:
        model = ExternalIdentity
        fields = ("user", "provider", "subject", "email", "linked_at", "last_used_at")


class OAuthTokenSerializer(ReadOnlySerializer):
    """A connected service. Tokens are masked."""

    class Meta:
        model = OAuthToken
        fields = (
            "user",
            "service",
            "access_token",
            "refresh_token",
            "token_expiry",
            "scope",
            "service_user_id",
            "service_email",
        )


class RegisteredDeviceViewSet(UpdateMixin, DestroyMixin, ReadOnlyTenantViewSet):
    """Your devices. Deleting a device removes it from the list."""

    serializer_class = RegisteredDeviceSerializer
    resource = "credentials"
    ordering_fields = ("created_at", "updated_at", "device_name")


class SecondFactorView(ApiView):
    """Your two-factor authentication."""

    serializer_class = SecondFactorSerializer
    resource = "credentials"
    scope = "manual"

    @extend_schema(responses={200: SecondFactorSerializer})
    def get(self, request: Any) -> HttpResponse:
        """Return whether sign-in asks for a code."""
        return json_response(SecondFactorSerializer(find_second_factor(self.credential.user_id)).data)


class PasskeyCredentialViewSet(UpdateMixin, DestroyMixin, ReadOnlyTenantViewSet):
    """Your passkeys. A deleted passkey can no longer be used."""

    serializer_class = PasskeyCredentialSerializer
    resource = "credentials"


class ExternalIdentityViewSet(DestroyMixin, ReadOnlyTenantViewSet):
    """Your linked identities. Deleting one unlinks it."""

    serializer_class = ExternalIdentitySerializer
    resource = "credentials"


class OAuthTokenViewSet(DestroyMixin, ReadOnlyTenantViewSet):
    """Your connected services. Deleting one disconnects it."""

    serializer_class = OAuthTokenSerializer
    resource = "credentials"
    ordering_fields = ("created_at", "updated_at", "service")
