"""Audit log and seals."""

from django.db import models
from django.db.models.functions import Now

from audit.choices import AuditStatus
from config.db.partitions import PartitionedMixin
from config.db.types import CurrentTransactionId, TransactionIdField
from config.tenancy.managers import ScopedManager, ScopedQuerySet
from config.tenancy.models import BaseModel, PartitionedTimestampMixin


class AuditLog(PartitionedTimestampMixin, PartitionedMixin, BaseModel):
    """One change or event, written by triggers and `record_event` only and never changed.

    Holds plain ids, since entries outlive the tenants, users and rows they refer to.
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
    tenant_id = models.UUIDField(null=True, help_text="Tenant whose row it was; empty: the platform's.")
    user_id = models.UUIDField(null=True, help_text="Person who acted.")
    actor = models.CharField(max_length=255, help_text="Who acted: `user:…`, `key:…`, `system:…`.")
    action = models.CharField(max_length=255, help_text="What was done, such as `agent.updated`.")
    resource_type = models.CharField(max_length=100, help_text="Kind of thing, such as `agents.agent`.")
    resource_id = models.CharField(max_length=255, default="", help_text="Its id.")
    old_values = models.JSONField(null=True, help_text="Changed values, before.")
    new_values = models.JSONField(null=True, help_text="Changed values, after.")
    ip_address = models.GenericIPAddressField(null=True, help_text="Address the request came from.")
    user_agent = models.TextField(default="", help_text="Program the request came from.")
    request_id = models.CharField(max_length=255, default="", help_text="The request's id.")
    db_user = models.CharField(max_length=63, help_text="Database login that wrote.")
    status = models.CharField(
        max_length=20, choices=AuditStatus, default=AuditStatus.SUCCESS, help_text="How it ended."
    )
    error_message = models.TextField(default="", help_text="Why it failed.")
    metadata = models.JSONField(default=dict, help_text="Further details.")
    xid = TransactionIdField(db_default=CurrentTransactionId(), help_text="Transaction that wrote it.")

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
    n = models.BigIntegerField(unique=True, help_text="Place in the chain, from 1.")
    partition = models.CharField(max_length=63, help_text="Partition it covers.")
    xid_lo = TransactionIdField(help_text="First transaction covered.")
    xid_hi = TransactionIdField(help_text="First transaction not covered.")
    row_count = models.BigIntegerField(help_text="Rows covered.")
    root = models.BinaryField(help_text="SHA-256 over the rows' hashes.")
    prev = models.BinaryField(help_text="Hash of the seal before.")
    hash = models.BinaryField(help_text="SHA-256 over the seal before, the root and the window.")
    system_identifier = models.BigIntegerField(help_text="Database cluster whose transaction ids these are.")
    sealed_at = models.DateTimeField(db_default=Now(), help_text="When it was sealed.")

    objects = models.Manager.from_queryset(ScopedQuerySet)()

    class Meta(BaseModel.Meta):
        ordering = ["-n"]

    def __str__(self) -> str:
        return f"seal {self.n} of {self.partition}"
