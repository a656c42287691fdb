"""API keys."""

from django.core.validators import MinValueValidator
from django.db import models

from accounts.choices import ApiKeyStatus
from config.db.constraints import choices_constraint
from config.tenancy.models import MemberForeignKey, TenantForeignKey, TenantModel


class ApiKey(TenantModel):
    """An API key that acts as a user in one tenant, within its scopes.

    Only an HMAC of the key is stored. The secret is shown once, on creation.
    """

    row_security = {"hidden": ("key_hash",)}
    audit_redact = ("key_hash",)
    audit_omit = ("last_used_at",)

    user = MemberForeignKey(models.CASCADE, related_name="api_keys", help_text="User that the key acts as.")
    name = models.CharField(max_length=255, help_text="Name that describes what the key is used for.")
    key_hash = models.BinaryField(unique=True, editable=False, help_text="HMAC-SHA256 of the key.")
    key_prefix = models.CharField(max_length=20, editable=False, help_text="Start of the key, for display.")
    engagement = TenantForeignKey(
        "tenants.Engagement",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text="Engagement to which the key is limited. Empty: requests may name one.",
    )
    scopes = models.JSONField(
        default=list,
        db_default=[],
        blank=True,
        help_text='Scopes of the key, such as ["agents:read"]. ["*"] grants every permission of its user.',
    )
    status = models.CharField(
        max_length=20,
        choices=ApiKeyStatus,
        default=ApiKeyStatus.ACTIVE,
        help_text="Status of the key. A revoked key cannot be reactivated.",
    )
    rate_limit = models.PositiveIntegerField(
        default=100,
        db_default=100,
        validators=[MinValueValidator(1)],
        help_text="Maximum number of requests per minute.",
    )
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Expiry time, if any.")
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Latest use.")
    metadata = models.JSONField(default=dict, blank=True, help_text="Additional data as a JSON object.")

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "status"], name="accounts_apikey_status")]
        constraints = [
            choices_constraint("status", ApiKeyStatus.values),
            models.CheckConstraint(
                condition=models.Q(rate_limit__gt=0), name="accounts_apikey_rate_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.key_prefix}…)"
