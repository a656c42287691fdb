"""Accounts at model and web search providers."""

from typing import Any, Self

from django.core.validators import URLValidator
from django.db import models

from agents.choices import INTEGRATION_PLATFORMS, IntegrationStatus
from config.db.constraints import choices_constraint, unique_per_tenant
from config.encryption.fields import Ciphertext, EncryptedJSONField
from config.tenancy.models import MemberForeignKey, TenantModel


class Integration(TenantModel):
    """A provider account: endpoint, encrypted credentials and connection state."""

    audit_omit = ("usage_stats", "last_sync_at", "failure_count", "paused_until", "offered_models")

    name = models.CharField(max_length=255, help_text="Display name.")
    platform = models.CharField(max_length=100, choices=INTEGRATION_PLATFORMS, help_text="Provider.")
    base_url = models.CharField(
        max_length=500,
        blank=True,
        default="",
        validators=[URLValidator(schemes=["http", "https"])],
        help_text="Endpoint of a self-hosted provider, such as http://127.0.0.1:11434/v1.",
    )
    credentials = EncryptedJSONField(
        null=True,
        blank=True,
        help_text='Secrets, such as {"api_key": "…"}, encrypted. Enter them again to change the provider or endpoint.',
    )
    status = models.CharField(
        max_length=50,
        choices=IntegrationStatus,
        default=IntegrationStatus.DISCONNECTED,
        db_default=IntegrationStatus.DISCONNECTED,
        editable=False,
        help_text="Result of the latest call.",
    )
    last_sync_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Latest successful call."
    )
    last_error = models.TextField(blank=True, default="", editable=False, help_text="Latest error.")
    failure_count = models.PositiveIntegerField(
        default=0, editable=False, help_text="Consecutive failed calls."
    )
    paused_until = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="End of the pause after repeated failures."
    )
    offered_models = models.JSONField(
        default=list, blank=True, editable=False, help_text="Models found by the latest check."
    )
    usage_stats = models.JSONField(
        default=dict, db_default={}, blank=True, editable=False, help_text="Tokens, requests and cost."
    )
    config = models.JSONField(default=dict, db_default={}, blank=True, help_text="Non-secret settings.")
    user = MemberForeignKey(help_text="User who added the integration.", editable=False)

    class Meta(TenantModel.Meta):
        indexes = [
            models.Index(fields=["tenant", "status"], name="agents_integration_status"),
            models.Index(fields=["tenant", "platform"], name="agents_integration_platform"),
        ]
        constraints = [
            unique_per_tenant("name", suffix="name", message="An integration with this name already exists."),
            choices_constraint("platform", [value for value, _ in INTEGRATION_PLATFORMS]),
            choices_constraint("status", IntegrationStatus.values),
        ]

    def __str__(self) -> str:
        return self.name

    _stored_endpoint: tuple[str, str] | None = None

    @classmethod
    def from_db(cls, db: Any, field_names: Any, values: Any) -> Self:  # type: ignore[override]
        instance = super().from_db(db, field_names, values)
        if {"platform", "base_url"} <= set(field_names):
            instance._stored_endpoint = (instance.platform, instance.base_url)
        return instance

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the row; clear stored credentials if the endpoint changed without new ones."""
        moved = self._stored_endpoint not in (None, (self.platform, self.base_url))
        if moved and self._keeps_credentials():
            self.credentials = None
            if kwargs.get("update_fields") is not None:
                kwargs["update_fields"] = {*kwargs["update_fields"], "credentials"}
        super().save(*args, **kwargs)
        self._stored_endpoint = (self.platform, self.base_url)

    def _keeps_credentials(self) -> bool:
        """Return whether the credentials are unchanged since the row was loaded."""
        credentials = self.__dict__.get("credentials")
        return isinstance(credentials, Ciphertext) or getattr(credentials, "ciphertext", None) is not None
