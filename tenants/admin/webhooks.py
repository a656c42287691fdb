"""Console pages of outgoing events and webhooks."""

from django.contrib import admin, messages

from config.admin.bases import BaseModelAdmin, ReadOnlyAdmin, fieldset
from config.admin.filters import CreatedFilter
from config.admin.secrets import ShowSecretMixin
from tenants.models import OutboxEvent, WebhookDelivery, WebhookEndpoint
from tenants.services.webhooks import generate_secret, replay_deliveries


@admin.register(OutboxEvent)
class OutboxEventAdmin(ReadOnlyAdmin):
    resource = "webhooks"
    icon = "outbox"
    position = 63
    title = "Outgoing events"
    list_display = ("created_at", "type", "relayed_at")
    list_filter = (CreatedFilter, "type")
    search_fields = ("id__exact",)
    search_help_text = "Exact ID."
    fieldsets = (fieldset(None, "type", "data", "key", "relayed_at"),)


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ShowSecretMixin, BaseModelAdmin):
    """Webhook endpoints. The secret is shown once."""

    shown_once_because = "The secret that signs the requests is shown only once. The API can replace it."
    resource = "webhooks"
    owner = "created_by"
    icon = "webhook"
    position = 61
    list_display = ("url", "description", "is_enabled", "created_by")
    list_filter = ("is_enabled",)
    search_fields = ("url", "description")
    fieldsets = (
        fieldset(None, "url", "description", "event_types", "is_enabled"),
        fieldset("State", "rotation_ends_at", "created_by"),
    )
    add_fieldsets = (fieldset(None, "url", "description", "event_types", "is_enabled"),)

    def save_model(self, request, obj, form, change):
        if not change:
            obj.secret = request.new_secret = generate_secret()
        super().save_model(request, obj, form, change)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    resource = "webhooks"
    icon = "send"
    position = 62
    list_display = (
        "created_at",
        "event_type",
        "endpoint",
        "status",
        "attempt_count",
        "response_status",
        "next_attempt_at",
    )
    list_filter = (CreatedFilter, "status", "event_type")
    search_fields = ("event_id__exact",)
    search_help_text = "Exact event ID."
    actions = ("replay",)
    fieldsets = (
        fieldset(None, "endpoint", ("event_type", "event_id"), ("status", "completed_at")),
        fieldset("Attempts", ("attempt_count", "attempts_left"), "next_attempt_at", "attempts"),
        fieldset("Latest response", ("response_status", "error")),
    )

    def has_replay_permission(self, request):
        return self._may(request, "write", "UPDATE")

    @admin.action(description="Send again", permissions=["replay"])
    def replay(self, request, queryset):
        count = replay_deliveries(queryset)
        self.message_user(request, f"{count} deliveries are sent again.", messages.SUCCESS)
