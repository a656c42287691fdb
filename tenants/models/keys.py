"""Wrapped data keys."""

from django.db import models

from config.db.constraints import TENANT_CLAUSE, choices_constraint
from config.tenancy.models import BaseModel
from tenants.choices import KeyStatus


class TenantKey(BaseModel):
    """One version of a tenant's data key, wrapped by a key-encryption key.

    The key-encryption key is stored outside the database. A row without a tenant is the platform's data key, which
    encrypts data of users rather than tenants.
    """

    scope_kind = "tenant"
    row_security = {
        "read": TENANT_CLAUSE,
        "verbs": "SELECT, INSERT",
        "identity": "SELECT, INSERT",
        "identity_rows": "tenant_id IS NULL",
        "hidden": ("wrapped",),
    }
    audit_redact = ("wrapped",)

    tenant = models.ForeignKey(
        "tenants.Tenant",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        help_text="Tenant whose data the key encrypts. Empty: the platform's data key.",
    )
    version = models.PositiveSmallIntegerField(help_text="Version number, stored in each ciphertext.")
    kek_id = models.CharField(max_length=64, help_text="Key-encryption key that wraps this key.")
    wrapped = models.BinaryField(help_text="The encrypted data key.")
    status = models.CharField(
        max_length=20, choices=KeyStatus, default=KeyStatus.CURRENT, help_text="Status of the key."
    )

    class Meta(BaseModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "version"], nulls_distinct=False, name="tenants_tenantkey_version"
            ),
            choices_constraint("status", KeyStatus.values),
        ]

    def __str__(self) -> str:
        return f"data key v{self.version} of {self.tenant_id or 'the platform'}"
