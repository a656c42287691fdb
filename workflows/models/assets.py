"""Assets and their dependencies; abstract models group the asset's columns."""

from django.contrib.postgres.indexes import GinIndex
from django.core.validators import RegexValidator
from django.db import models
from pgvector.django import HalfVectorField, HnswIndex

from config.db.constraints import SameTenant
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
    SHARE,
    choices_check,
    min_check,
    range_check,
    unique_per_tenant,
)

DIMENSIONS = 1536
MAC_ADDRESS = RegexValidator(r"^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$", "Six pairs of hexadecimal digits.")


class Hosting(models.Model):
    """Where an asset runs."""

    hostname = models.CharField(max_length=255, blank=True, default="", help_text="Name on the network.")
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
        help_text="Hardware address, such as 00:1a:2b:3c:4d:5e.",
    )
    os_type = models.CharField(
        "operating system", max_length=50, blank=True, default="", help_text="Operating system."
    )
    os_version = models.CharField(
        "version of the operating system", max_length=50, blank=True, default="", help_text="Its version."
    )
    environment = models.CharField(
        max_length=50, choices=Environment, blank=True, default="", help_text="What it serves."
    )
    datacenter = models.CharField(max_length=100, blank=True, default="", help_text="Data centre.")
    region = models.CharField(max_length=50, blank=True, default="", help_text="Region.")
    availability_zone = models.CharField(
        max_length=50, blank=True, default="", help_text="Zone of the region."
    )
    rack_location = models.CharField(max_length=50, blank=True, default="", help_text="Rack and slot.")

    class Meta:
        abstract = True


class Sizing(models.Model):
    """Capacity and utilization of an asset."""

    cpu_cores = models.PositiveIntegerField("CPU cores", null=True, blank=True, help_text="Processor cores.")
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
        help_text="Processor load, 0 to 100.",
    )
    memory_utilization_percent = models.FloatField(
        "memory utilization (%)",
        null=True,
        blank=True,
        validators=PERCENT,
        help_text="Memory used, 0 to 100.",
    )

    class Meta:
        abstract = True


class MigrationAnalysis(models.Model):
    """Migration strategy of an asset."""

    six_r_strategy = models.CharField(
        "6R strategy", max_length=20, choices=SixR, blank=True, default="", help_text="What to do with it."
    )
    migration_complexity = models.CharField(
        max_length=20, choices=Complexity, blank=True, default="", help_text="How hard the move is."
    )
    migration_priority = models.PositiveIntegerField(
        null=True, blank=True, help_text="Place in the order, 1 first."
    )
    migration_wave = models.PositiveIntegerField(
        null=True, blank=True, help_text="Wave that moves it, from 1."
    )
    blockers = models.JSONField(default=list, blank=True, help_text="What stands in the way.")

    class Meta:
        abstract = True


class Provenance(models.Model):
    """Origin and quality of an asset's data."""

    completeness_score = models.FloatField(
        null=True, blank=True, validators=SHARE, help_text="How complete the data are, from 0 to 1."
    )
    confidence_score = models.FloatField(
        null=True, blank=True, validators=SHARE, help_text="How sure the data are, from 0 to 1."
    )
    last_validated_at = models.DateTimeField(
        null=True, blank=True, help_text="When the data were last checked."
    )
    source_system = models.CharField(
        max_length=100, blank=True, default="", help_text="System they come from."
    )
    source_id = models.CharField(max_length=255, blank=True, default="", help_text="Its id in that system.")
    import_session_id = models.UUIDField(null=True, blank=True, help_text="Import that brought it.")
    raw_data = models.JSONField(null=True, blank=True, help_text="The row as it came.")

    class Meta:
        abstract = True


class Asset(Hosting, Sizing, MigrationAnalysis, Provenance, TenantModel):
    """A server, application, database or other asset of an engagement."""

    audit_omit = ("raw_data",)

    engagement = TenantForeignKey(
        "tenants.Engagement", models.RESTRICT, related_name="assets", help_text="Project that it belongs to."
    )
    master_flow = TenantForeignKey(
        "workflows.MasterFlow",
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        related_name="assets",
        help_text="Flow that leads it.",
    )
    discovery_flow = TenantForeignKey(
        "workflows.DiscoveryFlow",
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        related_name="assets",
        help_text="Discovery that found it.",
    )
    assessment_flow = TenantForeignKey(
        "workflows.AssessmentFlow",
        models.DO_NOTHING,
        db_rule="SET NULL",
        null=True,
        blank=True,
        related_name="assets",
        help_text="Assessment that judged it.",
    )
    asset_name = models.CharField("name", max_length=255, help_text="Name to know it by.")
    asset_type = models.CharField(
        "type", max_length=100, choices=AssetType, default=AssetType.SERVER, help_text="What it is."
    )
    asset_subtype = models.CharField(
        "subtype", max_length=100, blank=True, default="", help_text="What it is, more closely."
    )
    application_name = models.CharField(
        max_length=255, blank=True, default="", help_text="Application on it."
    )
    application_version = models.CharField(max_length=50, blank=True, default="", help_text="Its version.")
    technology_stack = models.JSONField(default=list, blank=True, help_text='Such as ["java", "oracle"].')
    business_unit = models.CharField(max_length=100, blank=True, default="", help_text="Unit that uses it.")
    business_owner = models.CharField(
        max_length=255, blank=True, default="", help_text="Who answers for its purpose."
    )
    technical_owner = models.CharField(
        max_length=255, blank=True, default="", help_text="Who answers for its working."
    )
    business_criticality = models.CharField(
        max_length=20, choices=Criticality, blank=True, default="", help_text="How much depends on it."
    )
    created_by = MemberForeignKey(help_text="Who entered it.", editable=False)

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
                name="source_once",
                message="The project has this asset of the source system already.",
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
            range_check("completeness_score", 0, 1),
            range_check("confidence_score", 0, 1),
        ]

    def __str__(self) -> str:
        return self.asset_name


class AssetEmbedding(TenantModel):
    """The embedding of an asset, in a separate table to keep asset rows short."""

    audit_exempt = "derived from assets, which are audited"

    id = models.UUIDField(primary_key=True, editable=False, help_text="The asset's id.")
    embedding_model = models.CharField(max_length=100, help_text="Embedder used.")
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

    source = TenantForeignKey(
        Asset,
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="dependencies",
        help_text="Asset that depends.",
    )
    target = TenantForeignKey(
        Asset,
        models.DO_NOTHING,
        db_rule="CASCADE",
        related_name="dependents",
        help_text="Asset that it depends on.",
    )
    dependency_type = models.CharField(
        max_length=50, choices=DependencyType, default=DependencyType.RUNTIME, help_text="In what way."
    )
    direction = models.CharField(
        max_length=20, choices=Direction, default=Direction.OUTBOUND, help_text="Which way data go."
    )
    strength = models.CharField(
        max_length=20, choices=Strength, default=Strength.STRONG, help_text="How much hangs on it."
    )
    discovered_by = models.CharField(
        max_length=50, choices=DiscoveredBy, default=DiscoveredBy.MANUAL, help_text="Who found it."
    )
    confidence_score = models.FloatField(
        default=1.0, validators=SHARE, help_text="How sure it is, from 0 to 1."
    )
    evidence = models.JSONField(default=dict, blank=True, help_text="What shows it.")
    validated_at = models.DateTimeField(null=True, blank=True, help_text="When it was confirmed.")

    class Meta(TenantModel.Meta):
        verbose_name_plural = "asset dependencies"
        indexes = [models.Index(fields=["tenant", "target"], name="wf_dependency_target")]
        constraints = [
            unique_per_tenant(
                "source",
                "target",
                "dependency_type",
                name="once",
                message="This dependency is known already.",
            ),
            models.CheckConstraint(
                condition=~models.Q(source=models.F("target")),
                name="workflows_assetdependency_not_itself",
                violation_error_message="An asset does not depend on itself.",
            ),
            choices_check("dependency_type", DependencyType),
            choices_check("direction", Direction),
            choices_check("strength", Strength),
            choices_check("discovered_by", DiscoveredBy),
            range_check("confidence_score", 0, 1),
        ]

    def __str__(self) -> str:
        return f"{self.source} needs {self.target} ({self.dependency_type})"
