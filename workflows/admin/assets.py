"""Assets and their dependencies."""

from django.contrib import admin

from audit.admin.exports import AuditedExportMixin
from config.admin.bases import BaseModelAdmin, ReadOnlyAdmin, fieldset
from config.admin.inlines import ReadOnlyInline
from workflows.models import Asset, AssetDependency, AssetEmbedding


class DependencyInline(ReadOnlyInline):
    """Dependencies of an asset, 20 per page; edited on separate pages."""

    model = AssetDependency
    resource = "assets"
    fk_name = "source"
    fields = ("target", "dependency_type", "direction", "strength", "discovered_by", "confidence_score")
    ordering = ("-id",)
    verbose_name = "dependency"
    verbose_name_plural = "dependencies"


@admin.register(Asset)
class AssetAdmin(AuditedExportMixin, BaseModelAdmin):
    resource = "assets"
    icon = "dns"
    position = 200
    owner = "created_by"
    list_display = (
        "asset_name",
        "asset_type",
        "environment",
        "engagement",
        "business_criticality",
        "six_r_strategy",
        "migration_wave",
        "updated_at",
    )
    list_filter = (
        "asset_type",
        "environment",
        "business_criticality",
        "six_r_strategy",
        "migration_complexity",
    )
    search_fields = ("asset_name", "hostname", "fqdn", "application_name")
    date_hierarchy = "created_at"
    # Raw source data can contain sensitive values.
    export_exclude = ("raw_data",)
    inlines = (DependencyInline,)
    fieldsets = (
        fieldset(None, "asset_name", ("asset_type", "asset_subtype"), "engagement"),
        fieldset(
            "Hosting",
            ("hostname", "fqdn"),
            ("ip_address", "mac_address"),
            ("os_type", "os_version"),
            ("environment", "datacenter"),
            ("region", "availability_zone", "rack_location"),
        ),
        fieldset("Application", ("application_name", "application_version"), "technology_stack"),
        fieldset(
            "Business", ("business_unit", "business_criticality"), ("business_owner", "technical_owner")
        ),
        fieldset(
            "Size",
            ("cpu_cores", "memory_gb", "storage_gb"),
            ("cpu_utilization_percent", "memory_utilization_percent"),
        ),
        fieldset(
            "Migration",
            ("six_r_strategy", "migration_complexity"),
            ("migration_priority", "migration_wave"),
            "blockers",
            ("master_flow", "discovery_flow", "assessment_flow"),
        ),
        fieldset("Data quality", ("completeness_score", "confidence_score", "last_validated_at")),
        fieldset(
            "Origin",
            ("source_system", "source_id"),
            ("import_session_id", "created_by"),
            "raw_data",
            collapse=True,
        ),
    )


@admin.register(AssetDependency)
class AssetDependencyAdmin(BaseModelAdmin):
    resource = "assets"
    icon = "share"
    position = 210
    list_display = (
        "source",
        "target",
        "dependency_type",
        "direction",
        "strength",
        "discovered_by",
        "confidence_score",
    )
    list_filter = ("dependency_type", "direction", "strength", "discovered_by")
    search_fields = ("source__asset_name", "target__asset_name")
    fieldsets = (
        fieldset(None, ("source", "target"), ("dependency_type", "direction", "strength")),
        fieldset("Evidence", ("discovered_by", "confidence_score", "validated_at"), "evidence"),
    )


@admin.register(AssetEmbedding)
class AssetEmbeddingAdmin(ReadOnlyAdmin):
    resource = "assets"
    icon = "scatter_plot"
    title = "Asset embeddings"
    in_sidebar = False
    list_display = ("id", "embedding_model", "created_at")
    search_fields = ("id__exact",)
    fields = ("embedding_model",)
