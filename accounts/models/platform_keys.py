"""Platform API keys."""

from django.core.validators import MinValueValidator
from django.db import models

from accounts.choices import ApiKeyStatus, PlatformScope
from config.db.constraints import choices_constraint
from config.tenancy.models import GlobalModel


class PlatformKey(GlobalModel):
    """An API key of the platform, which provisions tenants and reaches none of their rows.

    Only an HMAC of the key is stored. The secret is shown once, on creation.
    """

    row_security = {"read": "false", "verbs": "", "hidden": ("key_hash",)}
    audit_redact = ("key_hash",)
    audit_omit = ("last_used_at",)

    name = models.CharField(max_length=255, help_text="Name that describes what the key is used for.")
    key_hash = models.BinaryField(unique=True, editable=False, help_text="HMAC-SHA256 of the key.")
    key_prefix = models.CharField(max_length=20, editable=False, help_text="Start of the key, for display.")
    scopes = models.JSONField(default=list, help_text='Scopes of the key, such as ["tenants:read"].')
    status = models.CharField(
        max_length=20,
        choices=ApiKeyStatus,
        default=ApiKeyStatus.ACTIVE,
        help_text="Status of the key. A revoked key cannot be reactivated.",
    )
    rate_limit = models.PositiveIntegerField(
        default=60, validators=[MinValueValidator(1)], help_text="Maximum number of requests per minute."
    )
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Expiry time, if any.")
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Latest use.")

    class Meta(GlobalModel.Meta):
        constraints = [
            choices_constraint("status", ApiKeyStatus.values),
            models.CheckConstraint(
                condition=models.Q(scopes__contained_by=PlatformScope.values) & ~models.Q(scopes=[]),
                name="accounts_platformkey_scopes_known",
                violation_error_message="Choose at least one of the scopes of platform API keys.",
            ),
            models.CheckConstraint(
                condition=models.Q(rate_limit__gt=0), name="accounts_platformkey_rate_positive"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.key_prefix}…)"
