"""API keys."""

from django.contrib import admin, messages

from accounts.admin.grants import ApiKeyForm, GrantAdminMixin
from accounts.choices import ApiKeyStatus
from accounts.models import ApiKey
from accounts.services.keys import ALL_SCOPES, create_api_key, revoke_api_key
from config.admin.bases import BaseModelAdmin, fieldset
from config.admin.secrets import ShowSecretMixin


@admin.register(ApiKey)
class ApiKeyAdmin(ShowSecretMixin, GrantAdminMixin, BaseModelAdmin):
    """API keys. A key acts as the user who creates it; the secret is shown once."""

    form = ApiKeyForm
    shown_once_because = "The key is shown only once, because only its hash is stored."
    resource = "api-keys"
    icon = "key"
    title = "API keys"
    position = 50
    list_display = ("name", "key_prefix", "user", "status", "rate_limit", "expires_at", "last_used_at")
    list_filter = ("status",)
    search_fields = ("name", "key_prefix", "user__email")
    add_fieldsets = (fieldset(None, "name", "engagement", "scopes", ("rate_limit", "expires_at")),)
    fieldsets = (
        fieldset(None, "name", ("key_prefix", "user"), "engagement", "scopes"),
        fieldset("Limits", ("rate_limit", "expires_at")),
        fieldset("State", ("status", "last_used_at")),
        fieldset("Data", "metadata", collapse=True),
    )
    readonly_fields = ("user", "status")
    actions = ("revoke",)

    def has_change_permission(self, request, obj=None):
        # A key acts as its user, so only an administrator may change the key of another user.
        others = obj is not None and obj.user_id != request.user.pk
        return super().has_change_permission(request, obj) and not (
            others and request.console.beyond(ALL_SCOPES)
        )

    @admin.action(description="Revoke permanently", permissions=["change"])
    def revoke(self, request, queryset):
        revoked = 0
        for key in queryset.exclude(status=ApiKeyStatus.REVOKED):
            revoke_api_key(key, caller=request.console)
            revoked += 1
        self.message_user(request, f"{revoked} keys revoked.", messages.SUCCESS)

    def save_model(self, request, obj, form, change):
        if change:
            super().save_model(request, obj, form, change)
            return
        key, request.new_secret = create_api_key(
            name=obj.name,
            user_id=request.user.pk,
            caller=request.console,
            scopes=obj.scopes,
            rate_limit=obj.rate_limit,
            expires_at=obj.expires_at,
            engagement_id=obj.engagement_id,
        )
        obj.pk = key.pk
        obj.refresh_from_db()
