"""Audit log and seals."""

from django.db import models
from django.db.models.functions import Now

from audit.choices import AuditStatus
from config.db.partitions import PartitionedMixin
from config.db.types import CurrentTransactionId, TransactionIdField
from config.tenancy.managers import ScopedManager, ScopedQuerySet
from config.tenancy.models import BaseModel, PartitionedTimestampMixin


class AuditLog(PartitionedTimestampMixin, PartitionedMixin, BaseModel):
    """One change or event, written only by triggers and `record_event`; never changed.

    Holds plain IDs, because entries outlive the tenants, users and rows they refer to.
    """

    scope_kind = "tenant"
    audit_exempt = "the audit log itself"
    row_security = {
        "verbs": "SELECT",
        "operator": "SELECT",
        "owner": "conclave_audit",
        "owner_verbs": "SELECT, INSERT",
    }

    updated_at = None
    tenant_id = models.UUIDField(null=True, help_text="Tenant of the row. Empty: the platform.")
    user_id = models.UUIDField(null=True, help_text="User who acted.")
    actor = models.CharField(max_length=255, help_text="Actor: `user:…`, `key:…` or `system:…`.")
    action = models.CharField(max_length=255, help_text="Action, such as `agent.updated`.")
    resource_type = models.CharField(max_length=100, help_text="Type of resource, such as `agents.agent`.")
    resource_id = models.CharField(max_length=255, default="", help_text="ID of the resource.")
    old_values = models.JSONField(null=True, help_text="Changed values before the change.")
    new_values = models.JSONField(null=True, help_text="Changed values after the change.")
    ip_address = models.GenericIPAddressField(null=True, help_text="IP address of the request.")
    user_agent = models.TextField(default="", help_text="User agent of the request.")
    request_id = models.CharField(max_length=255, default="", help_text="Request ID.")
    db_user = models.CharField(max_length=63, help_text="Database login that wrote the row.")
    status = models.CharField(
        max_length=20, choices=AuditStatus, default=AuditStatus.SUCCESS, help_text="Result of the action."
    )
    error_message = models.TextField(default="", help_text="Error message.")
    metadata = models.JSONField(default=dict, db_default={}, help_text="Additional details.")
    xid = TransactionIdField(db_default=CurrentTransactionId(), help_text="Transaction that wrote the row.")

    objects = ScopedManager()
    unscoped = models.Manager.from_queryset(ScopedQuerySet)()

    class Meta(BaseModel.Meta):
        base_manager_name = "unscoped"
        indexes = [
            models.Index(fields=["tenant_id", "-id"], name="audit_auditlog_latest"),
            models.Index(
                fields=["tenant_id", "resource_type", "resource_id", "-id"], name="audit_auditlog_resource"
            ),
            models.Index(fields=["tenant_id", "user_id", "-id"], name="audit_auditlog_user"),
            models.Index(fields=["tenant_id", "action", "-id"], name="audit_auditlog_action"),
            models.Index(fields=["xid"], name="audit_auditlog_xid"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.resource_id}"


class AuditSeal(BaseModel):
    """A hash over closed transactions in one partition, chained to the previous seal."""

    scope_kind = "global"
    audit_exempt = "part of the audit log"
    row_security = {
        "read": "false",
        "verbs": "",
        "operator": "SELECT",
        "owner": "conclave_audit",
        "owner_verbs": "SELECT, INSERT",
    }

    updated_at = None
    n = models.BigIntegerField(unique=True, help_text="Position in the chain, starting at 1.")
    partition = models.CharField(max_length=63, help_text="Partition that the seal covers.")
    xid_lo = TransactionIdField(help_text="First transaction covered.")
    xid_hi = TransactionIdField(help_text="First transaction not covered.")
    row_count = models.BigIntegerField(help_text="Number of rows covered.")
    root = models.BinaryField(help_text="SHA-256 of the row hashes.")
    prev = models.BinaryField(help_text="Hash of the previous seal.")
    hash = models.BinaryField(help_text="SHA-256 of the previous seal, the root and the window.")
    system_identifier = models.BigIntegerField(help_text="Database cluster of the transaction IDs.")
    sealed_at = models.DateTimeField(db_default=Now(), help_text="When the seal was created.")

    objects = models.Manager.from_queryset(ScopedQuerySet)()

    class Meta(BaseModel.Meta):
        ordering = ["-n"]

    def __str__(self) -> str:
        return f"seal {self.n} of {self.partition}"
