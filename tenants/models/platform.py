"""Platform settings and Omni-Bridge links."""

from typing import Any, Self

from django.core.validators import URLValidator
from django.db import models

from config.db.constraints import choices_constraint, unique_per_tenant
from config.encryption.fields import Ciphertext, EncryptedTextField
from config.tenancy.models import GlobalModel, MemberForeignKey, TenantModel
from tenants.choices import BridgeSyncStatus


class SystemSetting(GlobalModel):
    """A platform-wide setting. Tenants can read public settings. Never store secrets here."""

    row_security = {"read": "is_public", "verbs": "SELECT"}

    key = models.CharField(max_length=255, unique=True, help_text="Name of the setting.")
    value = models.TextField(help_text="Value of the setting.")
    description = models.TextField(blank=True, default="", help_text="Description.")
    is_public = models.BooleanField(default=False, help_text="Whether tenants can read the setting.")

    class Meta(GlobalModel.Meta):
        ordering = ["key"]

    def __str__(self) -> str:
        return self.key


class BridgeSync(TenantModel):
    """A user's link to an Omni-Bridge server: endpoint, encrypted key, options and status."""

    audit_omit = ("last_sync_at",)

    user = MemberForeignKey(
        models.CASCADE, related_name="bridges", editable=False, help_text="User who owns the link."
    )
    url = models.CharField(
        max_length=500,
        validators=[URLValidator(schemes=["https", "http"])],
        help_text="URL of the server.",
    )
    api_key = EncryptedTextField(
        null=True,
        blank=True,
        help_text="API key of the server, stored encrypted. Enter it again when you change the URL.",
    )
    sync_enabled = models.BooleanField(
        default=True, db_default=True, help_text="Whether to synchronise. Requires a key."
    )
    last_sync_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Latest successful synchronisation."
    )
    sync_status = models.CharField(
        max_length=50,
        choices=BridgeSyncStatus,
        default=BridgeSyncStatus.PENDING,
        db_default=BridgeSyncStatus.PENDING,
        editable=False,
        help_text="Result of the latest synchronisation.",
    )
    sync_data = models.JSONField(
        default=dict, db_default={}, blank=True, help_text="Synchronised data, by type."
    )

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "sync_status"], name="tenants_bridgesync_status")]
        constraints = [
            unique_per_tenant("user", "url", message="You already have a link to this server."),
            choices_constraint(
                "sync_status", BridgeSyncStatus.values, name="tenants_bridgesync_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(sync_enabled=False) | models.Q(api_key__isnull=False),
                name="tenants_bridgesync_key",
                violation_error_message="An API key is required to enable synchronisation.",
            ),
        ]

    def __str__(self) -> str:
        return self.url

    _stored_url: str | None = None

    @classmethod
    def from_db(cls, db: Any, field_names: Any, values: Any) -> Self:
        made = super().from_db(db, field_names, values)
        if "url" in field_names:
            made._stored_url = made.url
        return made

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the link; clear the key if the server changed and the key did not."""
        if self._stored_url not in (None, self.url) and self._keeps_key():
            self.api_key = None
            if kwargs.get("update_fields") is not None:
                kwargs["update_fields"] = {*kwargs["update_fields"], "api_key"}
        super().save(*args, **kwargs)
        self._stored_url = self.url

    def _keeps_key(self) -> bool:
        """Return whether no key was assigned since the row was loaded."""
        held = self.__dict__.get("api_key")
        return isinstance(held, Ciphertext) or getattr(held, "ciphertext", None) is not None
