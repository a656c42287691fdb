"""Regions, data residency and replication."""

from django.core.validators import RegexValidator, URLValidator
from django.db import models

from config.tenancy.models import GlobalModel, TenantModel
from tenants.choices import (
    RegionStatus,
    RegionSyncStatus,
    ReplicationState,
    TenantRegionRole,
    TenantRegionStatus,
)

from .tenant import SLUG

COUNTRY = RegexValidator(r"^[A-Z]{2}\Z", "Use the two capital letters of ISO 3166-1, such as DE.")
OTHER_REGION = {
    "condition": ~models.Q(source_region=models.F("target_region")),
    "violation_error_message": "Source and target are the same region.",
}


class Region(GlobalModel):
    """A region of the platform."""

    code = models.CharField(max_length=100, unique=True, validators=[SLUG], help_text="Such as eu-central-1.")
    name = models.CharField(max_length=255, help_text="Name shown to people.")
    provider = models.CharField(max_length=50, blank=True, default="", help_text="Who runs the machines.")
    country_code = models.CharField(
        max_length=2, validators=[COUNTRY], help_text="Country whose law applies, ISO 3166-1."
    )
    endpoint_url = models.CharField(
        max_length=500,
        blank=True,
        default="",
        validators=[URLValidator(schemes=["https", "http"])],
        help_text="Address of its API.",
    )
    status = models.CharField(
        max_length=20, choices=RegionStatus, default=RegionStatus.ACTIVE, help_text="Whether it serves."
    )
    is_default = models.BooleanField(default=False, help_text="Where new tenants go.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Free data.")

    class Meta(GlobalModel.Meta):
        ordering = ["code"]
        indexes = [models.Index(fields=["status"], name="tenants_region_status")]
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"],
                condition=models.Q(is_default=True),
                name="tenants_region_one_default",
                violation_error_message="Another region is the default already.",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=RegionStatus.values), name="tenants_region_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(country_code__regex=r"^[A-Z]{2}$"), name="tenants_region_country"
            ),
        ]

    def __str__(self) -> str:
        return self.code


class TenantRegion(TenantModel):
    """A region that stores a tenant's data, chosen by the platform."""

    row_security = {"verbs": "SELECT"}

    region = models.ForeignKey(Region, models.PROTECT, related_name="tenancies", help_text="Where.")
    role = models.CharField(
        max_length=20,
        choices=TenantRegionRole,
        default=TenantRegionRole.PRIMARY,
        help_text="Primary: where rows are written.",
    )
    status = models.CharField(
        max_length=20,
        choices=TenantRegionStatus,
        default=TenantRegionStatus.PROVISIONING,
        help_text="Where it stands.",
    )
    is_residency_required = models.BooleanField(
        default=False, help_text="Whether the data must not leave the region's country."
    )
    activated_at = models.DateTimeField(null=True, blank=True, help_text="When it began to serve.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Free data.")

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "status"], name="tenants_tenantregion_status")]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "region"],
                name="tenants_tenantregion_once",
                violation_error_message="The organisation is in this region already.",
            ),
            models.UniqueConstraint(
                fields=["tenant"],
                condition=models.Q(role=TenantRegionRole.PRIMARY),
                name="tenants_tenantregion_one_primary",
                violation_error_message="The organisation has a primary region already.",
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=TenantRegionRole.values), name="tenants_tenantregion_role_known"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=TenantRegionStatus.values),
                name="tenants_tenantregion_status_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} in {self.region}"


class ReplicationStatus(GlobalModel):
    """Last measured replication status from one region to another."""

    audit_exempt = "measured again and again; it holds no decision of anybody"

    source_region = models.ForeignKey(
        Region, models.CASCADE, related_name="replicates_to", help_text="Region copied from."
    )
    target_region = models.ForeignKey(
        Region, models.CASCADE, related_name="replicates_from", help_text="Region copied to."
    )
    state = models.CharField(
        max_length=20, choices=ReplicationState, default=ReplicationState.STREAMING, help_text="How it goes."
    )
    slot_name = models.CharField(max_length=63, blank=True, default="", help_text="Replication slot used.")
    lag_bytes = models.PositiveBigIntegerField(default=0, help_text="Bytes of log not yet applied.")
    lag_ms = models.PositiveBigIntegerField(default=0, help_text="Milliseconds that the copy is behind.")
    last_synced_at = models.DateTimeField(null=True, blank=True, help_text="Time of the last row applied.")
    checked_at = models.DateTimeField(help_text="When it was looked at.")
    last_error = models.TextField(blank=True, default="", help_text="Last failure.")

    class Meta(GlobalModel.Meta):
        indexes = [models.Index(fields=["state"], name="tenants_replication_state")]
        constraints = [
            models.UniqueConstraint(
                fields=["source_region", "target_region", "slot_name"],
                name="tenants_replication_once",
                violation_error_message="This replication is known already.",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=ReplicationState.values), name="tenants_replication_state_known"
            ),
            models.CheckConstraint(name="tenants_replication_other_region", **OTHER_REGION),
        ]

    def __str__(self) -> str:
        return f"{self.source_region} to {self.target_region}: {self.state}"


class CrossRegionSyncLog(TenantModel):
    """A run that copied a tenant's rows of one type to another region."""

    audit_exempt = "a log itself, written by the platform alone"
    row_security = {"verbs": "SELECT"}

    source_region = models.ForeignKey(
        Region, models.PROTECT, related_name="+", help_text="Region copied from."
    )
    target_region = models.ForeignKey(Region, models.PROTECT, related_name="+", help_text="Region copied to.")
    resource_type = models.CharField(max_length=100, help_text="Kind of rows, such as `agents.agent`.")
    status = models.CharField(
        max_length=20, choices=RegionSyncStatus, default=RegionSyncStatus.RUNNING, help_text="How it ended."
    )
    rows_synced = models.PositiveBigIntegerField(default=0, help_text="Rows brought over.")
    bytes_synced = models.PositiveBigIntegerField(default=0, help_text="Bytes brought over.")
    started_at = models.DateTimeField(help_text="When it began.")
    completed_at = models.DateTimeField(null=True, blank=True, help_text="When it ended.")
    error_message = models.TextField(blank=True, default="", help_text="Why it failed.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Further details.")

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "status"], name="tenants_regionsync_status"),
            models.Index(fields=["tenant", "-started_at"], name="tenants_regionsync_latest"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=RegionSyncStatus.values), name="tenants_regionsync_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(completed_at=None) | models.Q(completed_at__gte=models.F("started_at")),
                name="tenants_regionsync_times_in_order",
                violation_error_message="It ends before it begins.",
            ),
            models.CheckConstraint(name="tenants_regionsync_other_region", **OTHER_REGION),
        ]

    def __str__(self) -> str:
        return f"{self.resource_type}: {self.status}"
