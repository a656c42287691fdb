"""Regions in the API: the platform decides on them."""

from config.api.serializers import HouseSerializer
from config.api.viewsets import ReadOnlyTenantViewSet
from tenants.models import CrossRegionSyncLog, Region, ReplicationStatus, TenantRegion


class RegionSerializer(HouseSerializer):
    """A place where the platform runs."""

    class Meta:
        model = Region
        fields = (
            "id",
            "code",
            "name",
            "provider",
            "country_code",
            "endpoint_url",
            "status",
            "is_default",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class TenantRegionSerializer(HouseSerializer):
    """That the organisation's data lives in a region."""

    class Meta:
        model = TenantRegion
        expandable = {"region": RegionSerializer}
        fields = (
            "id",
            "region",
            "role",
            "status",
            "is_residency_required",
            "activated_at",
            "metadata",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class ReplicationStatusSerializer(HouseSerializer):
    """How far a copy has come; slots and errors are for the platform's staff."""

    class Meta:
        model = ReplicationStatus
        expandable = {"source_region": RegionSerializer, "target_region": RegionSerializer}
        fields = (
            "id",
            "source_region",
            "target_region",
            "state",
            "lag_bytes",
            "lag_ms",
            "last_synced_at",
            "checked_at",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class CrossRegionSyncLogSerializer(HouseSerializer):
    """One run between two regions."""

    class Meta:
        model = CrossRegionSyncLog
        expandable = {"source_region": RegionSerializer, "target_region": RegionSerializer}
        fields = (
            "id",
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
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class RegionViewSet(ReadOnlyTenantViewSet):
    """Where the platform runs."""

    serializer_class = RegionSerializer
    resource = "regions"
    filterset_fields = ("code", "provider", "country_code", "status", "is_default")
    ordering_fields = ("created_at", "updated_at", "code", "name")


class TenantRegionViewSet(ReadOnlyTenantViewSet):
    """Where the organisation's data lives."""

    serializer_class = TenantRegionSerializer
    resource = "regions"
    filterset_fields = ("region", "role", "status")
    ordering_fields = ("created_at", "updated_at")


class ReplicationStatusViewSet(ReadOnlyTenantViewSet):
    """How far the copies between regions have come."""

    serializer_class = ReplicationStatusSerializer
    resource = "regions"
    filterset_fields = ("source_region", "target_region", "state")
    ordering_fields = ("created_at", "updated_at", "checked_at", "lag_ms")


class CrossRegionSyncLogViewSet(ReadOnlyTenantViewSet):
    """What was brought from region to region, newest first."""

    serializer_class = CrossRegionSyncLogSerializer
    resource = "regions"
    filterset_fields = ("source_region", "target_region", "resource_type", "status")
    ordering_fields = ("created_at", "updated_at", "started_at")
