"""Accounts at the providers of models."""

from django.core.validators import URLValidator
from django.db import models

from agents.choices import IntegrationStatus, Provider
from config.db.fields import EncryptedJSONField
from tenants.bases import MemberForeignKey, TenantModel


class Integration(TenantModel):
    """An account at a provider of models: endpoint, encrypted credentials, state of the connection."""

    audit_omit = ("usage_stats", "last_sync_at")

    name = models.CharField(max_length=255, help_text="Name to know it by.")
    platform = models.CharField(max_length=100, choices=Provider, help_text="The provider.")
    base_url = models.CharField(
        max_length=500,
        blank=True,
        default="",
        validators=[URLValidator(schemes=["http", "https"])],
        help_text="Endpoint, for providers that you run yourself, such as http://127.0.0.1:11434/v1.",
    )
    credentials = EncryptedJSONField(
        null=True, blank=True, help_text='Secrets, such as {"api_key": "…"}; stored encrypted, never shown.'
    )
    status = models.CharField(
        max_length=50,
        choices=IntegrationStatus,
        default=IntegrationStatus.DISCONNECTED,
        editable=False,
        help_text="How the last call ended.",
    )
    last_sync_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Last successful call."
    )
    last_error = models.TextField(blank=True, default="", editable=False, help_text="Last failure.")
    usage_stats = models.JSONField(
        default=dict, blank=True, editable=False, help_text="Tokens, requests, cost."
    )
    config = models.JSONField(default=dict, blank=True, help_text="Settings that are no secrets.")
    user = MemberForeignKey(help_text="Who set it up.", editable=False)

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "status"], name="agents_integration_status")]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name"],
                name="agents_integration_name",
                violation_error_message="An integration with this name exists already.",
            ),
            models.CheckConstraint(
                condition=models.Q(platform__in=Provider.values), name="agents_integration_platform_known"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=IntegrationStatus.values),
                name="agents_integration_status_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name
