"""API resources for platform adapters and credentials."""

from typing import Any

from rest_framework import serializers

from agents.models import PlatformAdapter, PlatformCredential
from config.api.constraint_errors import DOES_NOT_EXIST
from config.api.serializers import BaseSerializer, ReadOnlySerializer
from config.api.viewsets import ReadOnlyTenantViewSet, TenantViewSet


class PlatformAdapterSerializer(ReadOnlySerializer):
    """One version of an adapter."""

    class Meta:
        model = PlatformAdapter
        fields = (
            "adapter_name",
            "adapter_type",
            "version",
            "supported_platforms",
            "capabilities",
            "configuration_schema",
            "status",
            "health_check_url",
            "last_health_check_at",
        )


class PlatformCredentialSerializer(BaseSerializer):
    """A tenant's credentials for a platform; the secrets are write-only."""

    class Meta:
        model = PlatformCredential
        fields = (
            "platform_adapter",
            "credential_name",
            "credential_type",
            "credentials",
            "vault_path",
            "status",
            "expires_at",
            "last_rotated_at",
            "created_by",
        )
        extra_kwargs = {"credentials": {"required": True}}

    def validate_platform_adapter(self, value: Any) -> Any:
        if not PlatformAdapter.objects.filter(pk=value).exists():
            raise serializers.ValidationError(DOES_NOT_EXIST, code="does_not_exist")
        return value


class PlatformAdapterViewSet(ReadOnlyTenantViewSet):
    """Available platform adapters."""

    serializer_class = PlatformAdapterSerializer
    resource = "integrations"
    ordering_fields = ("created_at", "updated_at", "adapter_name")


class PlatformCredentialViewSet(TenantViewSet):
    """Credentials for platforms."""

    serializer_class = PlatformCredentialSerializer
    resource = "integrations"
    ordering_fields = ("created_at", "updated_at", "credential_name")
    owner_field = "created_by_id"
