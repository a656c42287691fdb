"""Devices, credentials and connected services, visible only to their user."""

from django.db import models
from django.db.models.functions import Now

from accounts.choices import DeviceType, IdentityProvider, OAuthService
from config.db.constraints import choices_constraint, unique_per_tenant
from config.encryption.fields import EncryptedJSONField, EncryptedTextField
from config.tenancy.models import UserOwnedModel


class RegisteredDevice(UserOwnedModel):
    """A device that a user has signed in on."""

    audit_omit = ("last_used_at",)

    device_name = models.CharField(max_length=255, help_text="Name of the device.")
    device_type = models.CharField(
        max_length=20, choices=DeviceType, default=DeviceType.OTHER, help_text="Type of device."
    )
    user_agent = models.CharField(max_length=1000, blank=True, default="", help_text="User-Agent header.")
    ip_address = models.GenericIPAddressField(null=True, blank=True, help_text="Latest IP address.")
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Latest use.")
    is_trusted = models.BooleanField(
        default=False, db_default=False, help_text="Whether it can skip the second factor."
    )

    class Meta(UserOwnedModel.Meta):
        indexes = [models.Index(fields=["tenant", "user", "-last_used_at"], name="accounts_device_user")]
        constraints = [
            choices_constraint("device_type", DeviceType.values, name="accounts_device_type_known")
        ]

    def __str__(self) -> str:
        return self.device_name


class TwoFactorAuth(UserOwnedModel):
    """Security questions of a user. The codes of the second factor are in `mfa.Authenticator`."""

    audit_omit = ("last_used_at",)

    is_enabled = models.BooleanField(
        default=False, db_default=False, help_text="Whether sign-in requires a code."
    )
    secret_key = EncryptedTextField(null=True, blank=True, help_text="TOTP secret, base32-encoded.")
    backup_codes = EncryptedJSONField(null=True, blank=True, help_text="One-time backup codes.")
    security_questions = EncryptedJSONField(
        null=True, blank=True, help_text='Security questions: [{"question": "", "answer": ""}]. Never shown.'
    )
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Latest code use.")

    class Meta(UserOwnedModel.Meta):
        verbose_name = "two-factor authentication"
        verbose_name_plural = "two-factor authentication"
        constraints = [
            unique_per_tenant("user", message="You have already set up two-factor authentication."),
            models.CheckConstraint(
                condition=models.Q(is_enabled=False) | models.Q(secret_key__isnull=False),
                name="accounts_twofactorauth_secret",
                violation_error_message="A secret is required to enable two-factor authentication.",
            ),
        ]

    def __str__(self) -> str:
        return "on" if self.is_enabled else "off"


class PasskeyCredential(UserOwnedModel):
    """A WebAuthn credential: its ID and public key; the private key never leaves the device."""

    audit_omit = ("last_used_at", "sign_count")

    credential_id = models.CharField(
        max_length=1400, unique=True, editable=False, help_text="WebAuthn credential ID, base64url-encoded."
    )
    public_key = models.TextField(editable=False, help_text="COSE public key, base64url-encoded.")
    credential_name = models.CharField(max_length=255, blank=True, default="", help_text="Passkey name.")
    sign_count = models.PositiveBigIntegerField(default=0, editable=False, help_text="Signature counter.")
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Latest sign-in.")

    class Meta(UserOwnedModel.Meta):
        indexes = [models.Index(fields=["tenant", "user"], name="accounts_passkey_user")]

    def __str__(self) -> str:
        return self.credential_name or "Passkey"


class ExternalIdentity(UserOwnedModel):
    """A user's identity at an external identity provider."""

    audit_omit = ("last_used_at",)

    provider = models.CharField(max_length=50, choices=IdentityProvider, help_text="Identity provider.")
    subject = models.CharField(max_length=255, help_text="Subject ID of the user at the provider.")
    email = models.EmailField(max_length=255, blank=True, default="", help_text="E-mail at the provider.")
    linked_at = models.DateTimeField(db_default=Now(), editable=False, help_text="When it was linked.")
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Latest sign-in.")

    class Meta(UserOwnedModel.Meta):
        verbose_name_plural = "external identities"
        indexes = [models.Index(fields=["tenant", "user"], name="accounts_extidentity_user")]
        constraints = [
            unique_per_tenant(
                "provider", "subject", suffix="subject", message="This identity is already linked."
            ),
            choices_constraint("provider", IdentityProvider.values),
        ]

    def __str__(self) -> str:
        return f"{self.get_provider_display()}: {self.email or self.subject}"


class OAuthToken(UserOwnedModel):
    """OAuth tokens of a service that a user has connected."""

    audit_omit = ("token_expiry",)

    service = models.CharField(max_length=50, choices=OAuthService, help_text="Connected service.")
    access_token = EncryptedTextField(help_text="Access token.")
    refresh_token = EncryptedTextField(null=True, blank=True, help_text="Refresh token.")
    token_expiry = models.DateTimeField(null=True, blank=True, help_text="Expiry time of the access token.")
    scope = models.TextField(blank=True, default="", help_text="Granted OAuth scopes, separated by spaces.")
    service_user_id = models.CharField(max_length=255, blank=True, default="", help_text="User ID there.")
    service_email = models.EmailField(max_length=255, blank=True, default="", help_text="E-mail there.")

    class Meta(UserOwnedModel.Meta):
        verbose_name = "OAuth token"
        indexes = [models.Index(fields=["tenant", "token_expiry"], name="accounts_oauthtoken_expiry")]
        constraints = [
            unique_per_tenant("user", "service", message="This service is already connected."),
            choices_constraint("service", OAuthService.values),
        ]

    def __str__(self) -> str:
        return f"{self.get_service_display()} {self.service_email}".strip()
