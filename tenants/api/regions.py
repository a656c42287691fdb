"""Read-only endpoints for regions and replication."""

from config.api.serializers import ReadOnlySerializer
from config.api.viewsets import ReadOnlyTenantViewSet
from tenants.models import CrossRegionSyncLog, Region, ReplicationStatus, TenantRegion


class RegionSerializer(ReadOnlySerializer):
    """A region of the platform."""

    class Meta:
        model = Region
        fields = ("code", "name", "provider", "country_code", "endpoint_url", "status", "is_default")


class TenantRegionSerializer(ReadOnlySerializer):
    """A region that stores data of the organisation."""

    class Meta:
        model = TenantRegion
        fields = ("region", "role", "status", "is_residency_required", "activated_at", "metadata")


class ReplicationStatusSerializer(ReadOnlySerializer):
    """Replication status between two regions, without slots and errors."""

    class Meta:
        model = ReplicationStatus
        fields = (
            "source_region",
            "target_region",
            "state",
            "lag_bytes",
            "lag_ms",
            "last_synced_at",
            "checked_at",
        )


class CrossRegionSyncLogSerializer(ReadOnlySerializer):
    """A sync run between two regions."""

    class Meta:
        model = CrossRegionSyncLog
        fields = (
            "source_region",
            "target_region",
            "resource_type",
            "status",
            "rows_synced",
            "bytes_synced",
            "started_at",
            "completed_at",
            "error_message",
            "metadata",
        )


class RegionViewSet(ReadOnlyTenantViewSet):
    """Regions of the platform."""

    serializer_class = RegionSerializer
    resource = "regions"
    ordering_fields = ("created_at", "updated_at", "code", "name")


class TenantRegionViewSet(ReadOnlyTenantViewSet):
    """Regions that store data of the organisation."""

    serializer_class = TenantRegionSerializer
    resource = "regions"
    ordering_fields = ("created_at", "updated_at")


class ReplicationStatusViewSet(ReadOnlyTenantViewSet):
    """Replication status between regions."""

    serializer_class = ReplicationStatusSerializer
    resource = "regions"
    ordering_fields = ("created_at", "updated_at", "checked_at", "lag_ms")


class CrossRegionSyncLogViewSet(ReadOnlyTenantViewSet):
    """Sync runs between regions, newest first."""

    serializer_class = CrossRegionSyncLogSerializer
    resource = "regions"
    ordering_fields = ("created_at", "updated_at", "started_at")
