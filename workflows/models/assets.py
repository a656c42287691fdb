"""Assets and their dependencies; abstract models group the columns of an asset."""

from django.contrib.postgres.indexes import GinIndex
from django.core.validators import RegexValidator
from django.db import models
from pgvector.django import HalfVectorField, HnswIndex

from config.db.constraints import SameTenant, unique_per_tenant
from config.tenancy.models import MemberForeignKey, TenantForeignKey, TenantModel
from tenants.choices import Complexity
from workflows.choices import (
    AssetType,
    Criticality,
    DependencyType,
    Direction,
    DiscoveredBy,
    Environment,
    SixR,
    Strength,
)
from workflows.constraints import (
    NOT_NEGATIVE,
    PERCENT,
    choices_check,
    min_check,
    range_check,
)

DIMENSIONS = 1536
MAC_ADDRESS = RegexValidator(
    r"^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$", "Enter six pairs of hexadecimal digits."
)


class Hosting(models.Model):
    """Location of an asset."""

    hostname = models.CharField(max_length=255, blank=True, default="", help_text="Host name.")
    fqdn = models.CharField("FQDN", max_length=255, blank=True, default="", help_text="Full domain name.")
    ip_address = models.GenericIPAddressField(
        "IP address", null=True, blank=True, help_text="IPv4 or IPv6 address."
    )
    mac_address = models.CharField(
        "MAC address",
        max_length=17,
        blank=True,
        default="",
        validators=[MAC_ADDRESS],
        help_text="MAC address, such as 00:1a:2b:3c:4d:5e.",
    )
    os_type = models.CharField(
        "operating system", max_length=50, blank=True, default="", help_text="Operating system."
    )
    os_version = models.CharField(
        "operating system version", max_length=50, blank=True, default="", help_text="OS version."
    )
    environment = models.CharField(
        max_length=50, choices=Environment, blank=True, default="", help_text="Environment."
    )
    datacenter = models.CharField(max_length=100, blank=True, default="", help_text="Data centre.")
    region = models.CharField(max_length=50, blank=True, default="", help_text="Region.")
    availability_zone = models.CharField(
        max_length=50, blank=True, default="", help_text="Availability zone."
    )
    rack_location = models.CharField(max_length=50, blank=True, default="", help_text="Rack and slot.")

    class Meta:
        abstract = True


class Sizing(models.Model):
    """Capacity and utilization of an asset."""

    cpu_cores = models.PositiveIntegerField("CPU cores", null=True, blank=True, help_text="Number of cores.")
    memory_gb = models.FloatField(
        "memory (GB)", null=True, blank=True, validators=NOT_NEGATIVE, help_text="Memory in gigabytes."
    )
    storage_gb = models.FloatField(
        "storage (GB)", null=True, blank=True, validators=NOT_NEGATIVE, help_text="Storage in gigabytes."
    )
    cpu_utilization_percent = models.FloatField(
        "CPU utilization (%)",
        null=True,
        blank=True,
        validators=PERCENT,
        help_text="CPU utilization, from 0 to 100.",
    )
    memory_utilization_percent = models.FloatField(
        "memory utilization (%)",
        null=True,
        blank=True,
        validators=PERCENT,
        help_text="Memory utilization, from 0 to 100.",
    )

    class Meta:
        abstract = True


class MigrationAnalysis(models.Model):
    """Migration strategy of an asset."""

    six_r_strategy = models.CharField(
        "6R strategy", max_length=20, choices=SixR, blank=True, default="", help_text="Strategy."
    )
    migration_complexity = models.CharField(
        max_length=20, choices=Complexity, blank=True, default="", help_text="Migration complexity."
    )
    migration_priority = models.PositiveIntegerField(
        null=True, blank=True, help_text="Priority; 1 is the highest."
    )
    migration_wave = models.PositiveIntegerField(
        null=True, blank=True, help_text="Migration wave, starting at 1."
    )
    blockers = models.JSONField(
        default=list, db_default=[], blank=True, help_text="Obstacles to the migration."
    )

    class Meta:
        abstract = True


class Provenance(models.Model):
    """Origin and quality of an asset's data."""

    completeness_score = models.FloatField(
        null=True,
        blank=True,
        help_text="Completeness of the data, on the scale of the source: from 0 to 1, or in percent.",
    )
    confidence_score = models.FloatField(
        null=True,
        blank=True,
        help_text="Confidence in the data, on the scale of the source: from 0 to 1, or in percent.",
    )
    last_validated_at = models.DateTimeField(
        null=True, blank=True, help_text="When the data was last validated."
    )
    source_system = models.CharField(
        max_length=100, blank=True, default="", help_text="Source system of the data."
    )
    source_id = models.CharField(max_length=255, blank=True, default="", help_text="ID in that system.")
    import_session_id = models.UUIDField(null=True, blank=True, help_text="Import that added it.")
    raw_data = models.JSONField(null=True, blank=True, help_text="Original row of the source.")

    class Meta:
        abstract = True


class Asset(Hosting, Sizing, MigrationAnalysis, Provenance, TenantModel):
    """A server, application, database or other asset of an engagement."""

    audit_omit = ("raw_data",)

    engagement = TenantForeignKey(
        "tenants.Engagement", models.RESTRICT, related_name="assets", help_text="Engagement of the asset."
    )
    master_flow = TenantForeignKey(
        "workflows.MasterFlow",
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        related_name="assets",
        help_text="Migration flow of the asset.",
    )
    discovery_flow = TenantForeignKey(
        "workflows.DiscoveryFlow",
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        related_name="assets",
        help_text="Discovery flow that found the asset.",
    )
    assessment_flow = TenantForeignKey(
        "workflows.AssessmentFlow",
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        related_name="assets",
        help_text="Assessment flow that evaluated the asset.",
    )
    asset_name = models.CharField("name", max_length=255, help_text="Display name.")
    asset_type = models.CharField(  # noqa: DJ001, null is unknown
        "type", max_length=100, choices=AssetType, null=True, blank=True, help_text="Type. Empty: unknown."
    )
    asset_subtype = models.CharField(
        "subtype", max_length=100, blank=True, default="", help_text="More specific type."
    )
    application_name = models.CharField(
        max_length=255, blank=True, default="", help_text="Application that runs on it."
    )
    application_version = models.CharField(max_length=50, blank=True, default="", help_text="Version.")
    technology_stack = models.JSONField(
        default=list, db_default=[], blank=True, help_text='For example ["java", "oracle"].'
    )
    business_unit = models.CharField(max_length=100, blank=True, default="", help_text="Business unit.")
    business_owner = models.CharField(
        max_length=255, blank=True, default="", help_text="Person responsible for its use."
    )
    technical_owner = models.CharField(
        max_length=255, blank=True, default="", help_text="Person responsible for its operation."
    )
    business_criticality = models.CharField(
        max_length=20, choices=Criticality, blank=True, default="", help_text="Importance to business."
    )
    created_by = MemberForeignKey(help_text="User who added the asset.", editable=False)

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "engagement", "-id"], name="wf_asset_engagement"),
            models.Index(fields=["tenant", "master_flow"], name="wf_asset_master_flow"),
            models.Index(fields=["tenant", "discovery_flow"], name="wf_asset_discovery_flow"),
            models.Index(fields=["tenant", "assessment_flow"], name="wf_asset_assessment_flow"),
            models.Index(fields=["tenant", "created_by"], name="wf_asset_created_by"),
            models.Index(fields=["tenant", "asset_type"], name="wf_asset_type"),
            models.Index(fields=["tenant", "environment"], name="wf_asset_environment"),
            models.Index(fields=["tenant", "six_r_strategy"], name="wf_asset_six_r"),
            models.Index(fields=["tenant", "migration_wave"], name="wf_asset_wave"),
            GinIndex(fields=["technology_stack"], name="wf_asset_technology"),
        ]
        constraints = [
            unique_per_tenant(
                "engagement",
                "source_system",
                "source_id",
                suffix="source_once",
                message="The engagement already has this asset from the source system.",
                condition=~models.Q(source_id=""),
            ),
            choices_check("asset_type", AssetType),
            choices_check("environment", Environment, blank=True),
            choices_check("business_criticality", Criticality, blank=True),
            choices_check("six_r_strategy", SixR, blank=True),
            choices_check("migration_complexity", Complexity, blank=True),
            min_check("memory_gb"),
            min_check("storage_gb"),
            range_check("cpu_utilization_percent", 0, 100),
            range_check("memory_utilization_percent", 0, 100),
        ]

    def __str__(self) -> str:
        return self.asset_name


class AssetEmbedding(TenantModel):
    """The embedding of an asset, in a separate table to keep asset rows short."""

    engagement_parents = {"id": "workflows_asset"}
    audit_exempt = "derived from assets, which are audited"

    id = models.UUIDField(primary_key=True, editable=False, help_text="ID of the asset.")
    embedding_model = models.CharField(max_length=100, help_text="Embedding model of the vector.")
    embedding = HalfVectorField(dimensions=DIMENSIONS, help_text="The vector.")

    class Meta(TenantModel.Meta):
        indexes = [
            HnswIndex(
                fields=["embedding"],
                opclasses=["halfvec_cosine_ops"],
                m=16,
                ef_construction=64,
                name="wf_asset_embedding",
            )
        ]
        constraints = [
            SameTenant(
                field="id",
                name="workflows_assetembedding_asset",
                target="workflows.Asset",
                column="id",
                on_delete="CASCADE",
            )
        ]

    def __str__(self) -> str:
        return f"vector of asset {self.pk}"


class AssetDependency(TenantModel):
    """A dependency of one asset on another."""

    engagement_parents = {"source_id": "workflows_asset", "target_id": "workflows_asset"}

    source = TenantForeignKey(
        Asset,
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="dependencies",
        help_text="Asset that depends on the target.",
    )
    target = TenantForeignKey(
        Asset,
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="dependents",
        help_text="Asset that the source depends on.",
    )
    dependency_type = models.CharField(  # noqa: DJ001, null is unknown
        max_length=50, choices=DependencyType, null=True, blank=True, help_text="Type. Empty: unknown."
    )
    direction = models.CharField(
        max_length=20,
        choices=Direction,
        default=Direction.OUTBOUND,
        db_default=Direction.OUTBOUND,
        help_text="Direction of data.",
    )
    strength = models.CharField(
        max_length=20,
        choices=Strength,
        default=Strength.STRONG,
        db_default=Strength.STRONG,
        help_text="Strength of dependency.",
    )
    discovered_by = models.CharField(  # noqa: DJ001, null is unknown
        max_length=50, choices=DiscoveredBy, null=True, blank=True, help_text="Discovered by. Empty: unknown."
    )
    confidence_score = models.FloatField(
        default=1.0,
        db_default=1.0,
        help_text="Confidence; 1 is certain, unless the source uses another scale.",
    )
    evidence = models.JSONField(default=dict, db_default={}, blank=True, help_text="Supporting evidence.")
    validated_at = models.DateTimeField(null=True, blank=True, help_text="When it was validated.")

    class Meta(TenantModel.Meta):
        verbose_name_plural = "asset dependencies"
        indexes = [models.Index(fields=["tenant", "target"], name="wf_dependency_target")]
        constraints = [
            unique_per_tenant(
                "source", "target", "dependency_type", message="This dependency already exists."
            ),
            models.CheckConstraint(
                condition=~models.Q(source=models.F("target")),
                name="workflows_assetdependency_not_itself",
                violation_error_message="An asset cannot depend on itself.",
            ),
            choices_check("dependency_type", DependencyType),
            choices_check("direction", Direction),
            choices_check("strength", Strength),
            choices_check("discovered_by", DiscoveredBy),
        ]

    def __str__(self) -> str:
        return f"{self.source} needs {self.target} ({self.dependency_type or 'unknown'})"
