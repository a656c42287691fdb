"""Devices, credentials and connected services, created by sign-in and consent."""

from django.contrib import admin

from accounts.models import ExternalIdentity, OAuthToken, PasskeyCredential, RegisteredDevice, TwoFactorAuth
from config.admin.bases import ReadOnlyAdmin, fieldset

from .profiles import OwnRowsAdmin


class RenameOnlyAdmin(OwnRowsAdmin):
    """Base admin for rows that users can rename and delete but not add."""

    resource = "credentials"

    def has_add_permission(self, request, obj=None):
        return False


class DeleteOnlyAdmin(ReadOnlyAdmin):
    """Base admin for rows that users can only delete."""

    resource = "credentials"
    search_fields = ("user__email",)

    def has_delete_permission(self, request, obj=None):
        return self._may(request, "write", "DELETE")


@admin.register(RegisteredDevice)
class RegisteredDeviceAdmin(RenameOnlyAdmin):
    icon = "devices"
    title = "My devices"
    position = 70
    list_display = ("device_name", "user", "device_type", "ip_address", "is_trusted", "last_used_at")
    list_filter = ("device_type", "is_trusted")
    search_fields = ("device_name", "user__email")
    fieldsets = (
        fieldset(None, ("device_name", "device_type"), "user", "is_trusted"),
        fieldset("Origin", "user_agent", ("ip_address", "last_used_at")),
    )
    readonly_fields = ("user", "device_type", "user_agent", "ip_address", "is_trusted")


@admin.register(TwoFactorAuth)
class TwoFactorAuthAdmin(ReadOnlyAdmin):
    """Status of two-factor authentication; secrets are never shown."""

    resource = "credentials"
    icon = "password"
    title = "Two-factor authentication"
    # The codes of a user are in the table of the sign-in.
    in_sidebar = False
    list_display = ("user", "is_enabled", "last_used_at", "updated_at")
    list_filter = ("is_enabled",)
    search_fields = ("user__email",)
    fieldsets = (
        fieldset(None, "user", ("is_enabled", "last_used_at")),
        fieldset("Secrets", "secret_key", "backup_codes", "security_questions"),
    )


@admin.register(PasskeyCredential)
class PasskeyCredentialAdmin(RenameOnlyAdmin):
    icon = "passkey"
    title = "My passkeys"
    position = 72
    list_display = ("__str__", "user", "last_used_at", "created_at")
    search_fields = ("credential_name", "user__email")
    fieldsets = (
        fieldset(None, "credential_name", "user", ("sign_count", "last_used_at")),
        fieldset("Credential", "credential_id", "public_key", collapse=True),
    )


@admin.register(ExternalIdentity)
class ExternalIdentityAdmin(DeleteOnlyAdmin):
    icon = "fingerprint"
    title = "Linked identities"
    position = 73
    list_display = ("provider", "email", "subject", "user", "linked_at", "last_used_at")
    list_filter = ("provider",)
    search_fields = ("email", "subject", "user__email")
    fieldsets = (
        fieldset(None, "user", ("provider", "email"), "subject"),
        fieldset("Times", ("linked_at", "last_used_at")),
    )


@admin.register(OAuthToken)
class OAuthTokenAdmin(DeleteOnlyAdmin):
    icon = "cloud_sync"
    title = "Connected services"
    position = 74
    list_display = ("service", "service_email", "user", "token_expiry", "updated_at")
    list_filter = ("service",)
    search_fields = ("service_email", "user__email")
    fieldsets = (
        fieldset(None, "user", ("service", "service_email"), "service_user_id", "scope"),
        fieldset("Tokens", "access_token", "refresh_token", "token_expiry"),
    )
