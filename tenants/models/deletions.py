"""Deletions of tenants."""

from django.db import models

from config.db.constraints import choices_constraint
from config.tenancy.models import GlobalModel
from tenants.choices import DeletionStatus


class TenantDeletion(GlobalModel):
    """The deletion of a tenant with all its rows and files, and the report of it.

    Holds the plain ID of the tenant, which it outlives, and no personal data. While it runs, the audit log does not
    record the deleted rows.
    """

    row_security = {"read": "false", "verbs": ""}
    audit_omit = ("rows", "files", "error")

    deleted_tenant_id = models.UUIDField(unique=True, help_text="Deleted tenant.")
    status = models.CharField(
        max_length=20, choices=DeletionStatus, default=DeletionStatus.PENDING, help_text="Status."
    )
    requested_by = models.CharField(
        max_length=255, help_text="Actor: `user:…`, `platform-key:…`, `system:…`."
    )
    rows = models.JSONField(default=dict, help_text="Number of deleted rows by table.")
    files = models.PositiveBigIntegerField(default=0, help_text="Number of deleted files.")
    error = models.CharField(
        max_length=255, blank=True, default="", help_text="Error of the latest attempt, which is repeated."
    )
    started_at = models.DateTimeField(null=True, blank=True, help_text="Start of the first attempt.")
    completed_at = models.DateTimeField(null=True, blank=True, help_text="When nothing was left.")

    class Meta(GlobalModel.Meta):
        constraints = [choices_constraint("status", DeletionStatus.values)]

    def __str__(self) -> str:
        return f"deletion of {self.deleted_tenant_id} ({self.status})"
