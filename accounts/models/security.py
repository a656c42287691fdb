"""Devices, credentials and connected services, visible to their user only."""

from django.db import models
from django.db.models.functions import Now

from accounts.choices import DeviceType, IdentityProvider, OAuthService
from config.encryption.fields import EncryptedJSONField, EncryptedTextField
from config.tenancy.models import UserOwnedModel


class RegisteredDevice(UserOwnedModel):
    """A device that a user has signed in on."""

    audit_omit = ("last_used_at",)

    device_name = models.CharField(max_length=255, help_text="Name to know it by.")
    device_type = models.CharField(
        max_length=20, choices=DeviceType, default=DeviceType.OTHER, help_text="Kind of device."
    )
    user_agent = models.CharField(max_length=1000, blank=True, default="", help_text="What its browser says.")
    ip_address = models.GenericIPAddressField(null=True, blank=True, help_text="Latest address.")
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Latest use.")
    is_trusted = models.BooleanField(default=False, help_text="Whether it needs no second factor.")

    class Meta(UserOwnedModel.Meta):
        indexes = [models.Index(fields=["tenant", "user", "-last_used_at"], name="accounts_device_user")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(device_type__in=DeviceType.values), name="accounts_device_type_known"
            )
        ]

    def __str__(self) -> str:
        return self.device_name


class TwoFactorAuth(UserOwnedModel):
    """A user's two-factor authentication: TOTP secret, backup codes, questions."""

    audit_omit = ("last_used_at",)

    is_enabled = models.BooleanField(default=False, help_text="Whether a code is asked for.")
    secret_key = EncryptedTextField(null=True, blank=True, help_text="TOTP secret, base 32.")
    backup_codes = EncryptedJSONField(null=True, blank=True, help_text="Codes that each serve once.")
    security_questions = EncryptedJSONField(
        null=True, blank=True, help_text='[{"question": "", "answer": ""}]; never shown.'
    )
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Latest code taken.")

    class Meta(UserOwnedModel.Meta):
        verbose_name = "two-factor authentication"
        verbose_name_plural = "two-factor authentication"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "user"],
                name="accounts_twofactorauth_once",
                violation_error_message="You have a second factor already.",
            ),
            models.CheckConstraint(
                condition=models.Q(is_enabled=False) | models.Q(secret_key__isnull=False),
                name="accounts_twofactorauth_secret",
                violation_error_message="A second factor that is on has a secret.",
            ),
        ]

    def __str__(self) -> str:
        return "on" if self.is_enabled else "off"


class PasskeyCredential(UserOwnedModel):
    """A WebAuthn credential: its id and public key; the private key never leaves the device."""

    audit_omit = ("last_used_at", "sign_count")

    credential_id = models.CharField(
        max_length=1400, unique=True, editable=False, help_text="WebAuthn id, base64url."
    )
    public_key = models.TextField(editable=False, help_text="COSE public key, base64url.")
    credential_name = models.CharField(max_length=255, blank=True, default="", help_text="Name given to it.")
    sign_count = models.PositiveBigIntegerField(default=0, editable=False, help_text="Signatures so far.")
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Latest sign-in.")

    class Meta(UserOwnedModel.Meta):
        indexes = [models.Index(fields=["tenant", "user"], name="accounts_passkey_user")]

    def __str__(self) -> str:
        return self.credential_name or "Passkey"


class ExternalIdentity(UserOwnedModel):
    """A user's identity at an external identity provider."""

    audit_omit = ("last_used_at",)

    provider = models.CharField(max_length=50, choices=IdentityProvider, help_text="Who knows them.")
    subject = models.CharField(max_length=255, help_text="The provider's id of the person.")
    email = models.EmailField(max_length=255, blank=True, default="", help_text="Address known there.")
    linked_at = models.DateTimeField(db_default=Now(), editable=False, help_text="When it was linked.")
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="Latest sign-in.")

    class Meta(UserOwnedModel.Meta):
        verbose_name_plural = "external identities"
        indexes = [models.Index(fields=["tenant", "user"], name="accounts_extidentity_user")]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "provider", "subject"],
                name="accounts_externalidentity_subject",
                violation_error_message="This identity is linked already.",
            ),
            models.CheckConstraint(
                condition=models.Q(provider__in=IdentityProvider.values),
                name="accounts_externalidentity_provider_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_provider_display()}: {self.email or self.subject}"


class OAuthToken(UserOwnedModel):
    """OAuth tokens of a service that a user connected."""

    audit_omit = ("token_expiry",)

    service = models.CharField(max_length=50, choices=OAuthService, help_text="The service.")
    access_token = EncryptedTextField(help_text="Token sent to it.")
    refresh_token = EncryptedTextField(null=True, blank=True, help_text="Token that renews the other.")
    token_expiry = models.DateTimeField(null=True, blank=True, help_text="When the access token ends.")
    scope = models.TextField(blank=True, default="", help_text="What was granted, space between.")
    service_user_id = models.CharField(max_length=255, blank=True, default="", help_text="Their id there.")
    service_email = models.EmailField(max_length=255, blank=True, default="", help_text="Address there.")

    class Meta(UserOwnedModel.Meta):
        verbose_name = "OAuth token"
        indexes = [models.Index(fields=["tenant", "token_expiry"], name="accounts_oauthtoken_expiry")]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "user", "service"],
                name="accounts_oauthtoken_once",
                violation_error_message="This service is connected already.",
            ),
            models.CheckConstraint(
                condition=models.Q(service__in=OAuthService.values),
                name="accounts_oauthtoken_service_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_service_display()} {self.service_email}".strip()
