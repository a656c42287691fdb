"""Regions, data residency and replication."""

from django.core.validators import RegexValidator, URLValidator
from django.db import models

from config.db.constraints import choices_constraint, unique_per_tenant
from config.tenancy.models import GlobalModel, TenantModel
from tenants.choices import (
    RegionStatus,
    RegionSyncStatus,
    ReplicationState,
    TenantRegionRole,
    TenantRegionStatus,
)

from .tenant import SLUG

COUNTRY = RegexValidator(r"^[A-Z]{2}\Z", "Enter a two-letter ISO 3166-1 code in capitals, such as DE.")
OTHER_REGION = {
    "condition": ~models.Q(source_region=models.F("target_region")),
    "violation_error_message": "The source and target regions must differ.",
}


class Region(GlobalModel):
    """A region of the platform."""

    code = models.CharField(max_length=100, unique=True, validators=[SLUG], help_text="Region code.")
    name = models.CharField(max_length=255, help_text="Display name.")
    provider = models.CharField(max_length=50, blank=True, default="", help_text="Hosting provider.")
    country_code = models.CharField(
        max_length=2, validators=[COUNTRY], help_text="Country as an ISO 3166-1 code."
    )
    endpoint_url = models.CharField(
        max_length=500,
        blank=True,
        default="",
        validators=[URLValidator(schemes=["https", "http"])],
        help_text="URL of the API in this region.",
    )
    status = models.CharField(
        max_length=20, choices=RegionStatus, default=RegionStatus.ACTIVE, help_text="Region status."
    )
    is_default = models.BooleanField(default=False, help_text="Default region of new tenants.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Additional data as JSON.")

    class Meta(GlobalModel.Meta):
        ordering = ["code"]
        indexes = [models.Index(fields=["status"], name="tenants_region_status")]
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"],
                condition=models.Q(is_default=True),
                name="tenants_region_one_default",
                violation_error_message="Another region is already the default.",
            ),
            choices_constraint("status", RegionStatus.values),
            models.CheckConstraint(
                condition=models.Q(country_code__regex=r"^[A-Z]{2}$"), name="tenants_region_country"
            ),
        ]

    def __str__(self) -> str:
        return self.code


class TenantRegion(TenantModel):
    """A region that stores a tenant's data, chosen by the platform."""

    row_security = {"verbs": "SELECT"}

    region = models.ForeignKey(Region, models.PROTECT, related_name="tenancies", help_text="The region.")
    role = models.CharField(
        max_length=20,
        choices=TenantRegionRole,
        default=TenantRegionRole.PRIMARY,
        help_text="Rows are written in the primary region.",
    )
    status = models.CharField(
        max_length=20,
        choices=TenantRegionStatus,
        default=TenantRegionStatus.PROVISIONING,
        help_text="Status of the region for this tenant.",
    )
    is_residency_required = models.BooleanField(
        default=False, help_text="Whether the data must stay in the country of the region."
    )
    activated_at = models.DateTimeField(null=True, blank=True, help_text="When it became active.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Additional data as JSON.")

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "status"], name="tenants_tenantregion_status")]
        constraints = [
            unique_per_tenant("region", message="The organisation already uses this region."),
            unique_per_tenant(
                suffix="one_primary",
                message="The organisation already has a primary region.",
                condition=models.Q(role=TenantRegionRole.PRIMARY),
            ),
            choices_constraint("role", TenantRegionRole.values),
            choices_constraint("status", TenantRegionStatus.values),
        ]

    def __str__(self) -> str:
        return f"{self.role} in {self.region}"


class ReplicationStatus(GlobalModel):
    """Latest measured replication status from one region to another."""

    audit_exempt = "measurements that are replaced periodically; no user decision"

    source_region = models.ForeignKey(
        Region, models.CASCADE, related_name="replicates_to", help_text="Region copied from."
    )
    target_region = models.ForeignKey(
        Region, models.CASCADE, related_name="replicates_from", help_text="Region copied to."
    )
    state = models.CharField(
        max_length=20, choices=ReplicationState, default=ReplicationState.STREAMING, help_text="State."
    )
    slot_name = models.CharField(max_length=63, blank=True, default="", help_text="Replication slot.")
    lag_bytes = models.PositiveBigIntegerField(default=0, help_text="Log bytes not yet applied.")
    lag_ms = models.PositiveBigIntegerField(default=0, help_text="Delay in milliseconds.")
    last_synced_at = models.DateTimeField(null=True, blank=True, help_text="Time of the last applied row.")
    checked_at = models.DateTimeField(help_text="Time of the measurement.")
    last_error = models.TextField(blank=True, default="", help_text="Latest error.")

    class Meta(GlobalModel.Meta):
        indexes = [models.Index(fields=["state"], name="tenants_replication_state")]
        constraints = [
            models.UniqueConstraint(
                fields=["source_region", "target_region", "slot_name"],
                name="tenants_replication_once",
                violation_error_message="The status of this replication already exists.",
            ),
            choices_constraint("state", ReplicationState.values, name="tenants_replication_state_known"),
            models.CheckConstraint(name="tenants_replication_other_region", **OTHER_REGION),
        ]

    def __str__(self) -> str:
        return f"{self.source_region} to {self.target_region}: {self.state}"


class CrossRegionSyncLog(TenantModel):
    """A run that copied a tenant's rows of one type to another region."""

    audit_exempt = "itself a log, written only by the platform"
    row_security = {"verbs": "SELECT"}

    source_region = models.ForeignKey(
        Region, models.PROTECT, related_name="+", help_text="Region copied from."
    )
    target_region = models.ForeignKey(Region, models.PROTECT, related_name="+", help_text="Target region.")
    resource_type = models.CharField(max_length=100, help_text="Type of rows, such as `agents.agent`.")
    status = models.CharField(
        max_length=20, choices=RegionSyncStatus, default=RegionSyncStatus.RUNNING, help_text="Run status."
    )
    rows_synced = models.PositiveBigIntegerField(default=0, help_text="Number of copied rows.")
    bytes_synced = models.PositiveBigIntegerField(default=0, help_text="Number of copied bytes.")
    started_at = models.DateTimeField(help_text="Start time.")
    completed_at = models.DateTimeField(null=True, blank=True, help_text="End time.")
    error_message = models.TextField(blank=True, default="", help_text="Error message.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Additional details.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "status"], name="tenants_regionsync_status"),
            models.Index(fields=["tenant", "-started_at"], name="tenants_regionsync_latest"),
        ]
        constraints = [
            choices_constraint("status", RegionSyncStatus.values, name="tenants_regionsync_status_known"),
            models.CheckConstraint(
                condition=models.Q(completed_at=None) | models.Q(completed_at__gte=models.F("started_at")),
                name="tenants_regionsync_times_in_order",
                violation_error_message="The run must not end before it starts.",
            ),
            models.CheckConstraint(name="tenants_regionsync_other_region", **OTHER_REGION),
        ]

    def __str__(self) -> str:
        return f"{self.resource_type}: {self.status}"
