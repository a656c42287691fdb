"""Adapters to external platforms and credentials for them."""

from typing import Any

from django.core.validators import URLValidator
from django.db import models
from django.utils import timezone

from agents.choices import AdapterStatus, AdapterType, CredentialStatus, CredentialType
from config.db.constraints import choices_constraint
from config.encryption.fields import EncryptedJSONField, Secret
from config.tenancy.models import GlobalModel, MemberForeignKey, TenantModel


class PlatformAdapter(GlobalModel):
    """One version of an adapter to a platform, such as a cloud provider."""

    # Written by each health check.
    audit_omit = ("last_health_check_at",)

    adapter_name = models.CharField(max_length=100, help_text="Name, such as aws.")
    adapter_type = models.CharField(max_length=50, choices=AdapterType, help_text="Type of adapter.")
    version = models.CharField(max_length=20, help_text="Version, such as 1.4.0.")
    supported_platforms = models.JSONField(
        default=list, db_default=[], blank=True, help_text="Supported platforms."
    )
    capabilities = models.JSONField(default=list, db_default=[], blank=True, help_text="Capability labels.")
    configuration_schema = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="JSON Schema of the configuration."
    )
    status = models.CharField(
        max_length=20,
        choices=AdapterStatus,
        default=AdapterStatus.ACTIVE,
        db_default=AdapterStatus.ACTIVE,
        help_text="Whether the adapter can be used.",
    )
    health_check_url = models.CharField(
        max_length=500,
        blank=True,
        default="",
        validators=[URLValidator(schemes=["http", "https"])],
        help_text="URL of the health check.",
    )
    last_health_check_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Time of the latest health check."
    )

    class Meta(GlobalModel.Meta):
        indexes = [models.Index(fields=["status"], name="agents_adapter_status")]
        constraints = [
            models.UniqueConstraint(
                fields=["adapter_name", "version"],
                name="agents_adapter_once",
                violation_error_message="This version of the adapter already exists.",
            ),
            choices_constraint("adapter_type", AdapterType.values, name="agents_adapter_type_known"),
            choices_constraint("status", AdapterStatus.values, name="agents_adapter_status_known"),
        ]

    def __str__(self) -> str:
        return f"{self.adapter_name} {self.version}"


class PlatformCredential(TenantModel):
    """A tenant's encrypted credentials for a platform."""

    platform_adapter = models.ForeignKey(
        PlatformAdapter,
        models.PROTECT,
        related_name="+",
        help_text="Adapter that uses the credential.",
    )
    credential_name = models.CharField(max_length=255, help_text="Display name.")
    credential_type = models.CharField(
        max_length=50, choices=CredentialType, default=CredentialType.API_KEY, help_text="Type."
    )
    credentials = EncryptedJSONField(
        help_text='Secrets, such as {"api_key": "…"}, stored encrypted. Never shown.'
    )
    vault_path = models.CharField(
        max_length=500, blank=True, default="", help_text="Path in an external vault, if stored there."
    )
    status = models.CharField(
        max_length=50,
        choices=CredentialStatus,
        default=CredentialStatus.ACTIVE,
        db_default=CredentialStatus.ACTIVE,
        help_text="Whether the credential can be used.",
    )
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Expiry time, if any.")
    last_rotated_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When the secrets were last changed."
    )
    created_by = MemberForeignKey(help_text="User who added it.", editable=False)

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "status"], name="agents_credential_status"),
            models.Index(fields=["tenant", "expires_at"], name="agents_credential_expiry"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "platform_adapter", "credential_name"],
                name="agents_credential_name",
                violation_error_message="A credential with this name already exists.",
            ),
            choices_constraint("credential_type", CredentialType.values, name="agents_credential_type_known"),
            choices_constraint("status", CredentialStatus.values, name="agents_credential_status_known"),
        ]

    def __str__(self) -> str:
        return self.credential_name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the row; update `last_rotated_at` if the secrets changed."""
        credentials = self.__dict__.get("credentials")
        if isinstance(credentials, Secret) and credentials.ciphertext is None:
            self.last_rotated_at = timezone.now()
            if kwargs.get("update_fields") is not None:
                kwargs["update_fields"] = {*kwargs["update_fields"], "last_rotated_at"}
        super().save(*args, **kwargs)
