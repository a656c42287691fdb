"""Asset and dependency endpoints."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action

from config.api.serializers import BaseSerializer, TextListField
from config.api.similarity import SimilarRequestSerializer, build_similar_serializer
from config.api.viewsets import TenantViewSet
from workflows.models import Asset, AssetDependency
from workflows.services.similarity import similar_assets

from .similarity import EmbeddingMixin


class AssetSerializer(BaseSerializer):
    """An asset. Its dependencies are listed at `asset-dependencies`."""

    technology_stack = TextListField(required=False, help_text="Technologies used by the asset.")

    class Meta:
        model = Asset
        fields = (
            "engagement",
            "master_flow",
            "discovery_flow",
            "assessment_flow",
            "asset_name",
            "asset_type",
            "asset_subtype",
            "hostname",
            "fqdn",
            "ip_address",
            "mac_address",
            "os_type",
            "os_version",
            "environment",
            "datacenter",
            "region",
            "availability_zone",
            "rack_location",
            "application_name",
            "application_version",
            "technology_stack",
            "business_unit",
            "business_owner",
            "technical_owner",
            "business_criticality",
            "cpu_cores",
            "memory_gb",
            "storage_gb",
            "cpu_utilization_percent",
            "memory_utilization_percent",
            "six_r_strategy",
            "migration_complexity",
            "migration_priority",
            "migration_wave",
            "blockers",
            "completeness_score",
            "confidence_score",
            "last_validated_at",
            "source_system",
            "source_id",
            "import_session_id",
            "raw_data",
            "created_by",
        )


class AssetDependencySerializer(BaseSerializer):
    """A dependency of one asset on another."""

    class Meta:
        model = AssetDependency
        fields = (
            "source",
            "target",
            "dependency_type",
            "direction",
            "strength",
            "discovered_by",
            "confidence_score",
            "evidence",
            "validated_at",
        )


class SimilarAssetsRequestSerializer(SimilarRequestSerializer):
    """A similarity query for assets."""

    engagement = serializers.UUIDField(
        required=False, help_text="Limits the results to assets of this engagement."
    )


class AssetViewSet(EmbeddingMixin, TenantViewSet):
    """Servers, applications, databases and other assets."""

    serializer_class = AssetSerializer
    resource = "assets"
    ordering_fields = ("created_at", "updated_at", "asset_name", "asset_type", "environment")
    owner_field = "created_by_id"

    @extend_schema(
        request=SimilarAssetsRequestSerializer, responses=build_similar_serializer("asset", AssetSerializer)
    )
    @action(detail=False, methods=["post"])
    def similar(self, request: Any, **kwargs: Any) -> HttpResponse:
        """Return assets similar to a text, most similar first."""
        given = self.validate_body(SimilarAssetsRequestSerializer)
        found = similar_assets(given["text"], engagement_id=given.get("engagement"), limit=given["limit"])
        return self.similar_response("asset", found)


class AssetDependencyViewSet(TenantViewSet):
    """Dependencies between assets."""

    serializer_class = AssetDependencySerializer
    resource = "assets"
    ordering_fields = ("created_at", "updated_at", "confidence_score")
