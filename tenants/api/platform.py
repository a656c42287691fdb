"""Endpoints for public platform settings and Omni-Bridge links."""

from config.api.serializers import BaseSerializer, ReadOnlySerializer
from config.api.viewsets import ReadOnlyTenantViewSet, TenantViewSet
from tenants.models import BridgeSync, SystemSetting


class SystemSettingSerializer(ReadOnlySerializer):
    """A public platform setting."""

    class Meta:
        model = SystemSetting
        fields = ("key", "value", "description")


class BridgeSyncSerializer(BaseSerializer):
    """A link to an Omni-Bridge server. The key is write-only."""

    class Meta:
        model = BridgeSync
        fields = ("user", "url", "api_key", "sync_enabled", "last_sync_at", "sync_status", "sync_data")


class SystemSettingViewSet(ReadOnlyTenantViewSet):
    """Public platform settings."""

    serializer_class = SystemSettingSerializer
    resource = "settings"
    ordering_fields = ("created_at", "updated_at", "key")


class BridgeSyncViewSet(TenantViewSet):
    """Links to Omni-Bridge servers."""

    serializer_class = BridgeSyncSerializer
    resource = "bridges"
    ordering_fields = ("created_at", "updated_at", "url")
    owner_field = "user_id"
