"""Console page for provider accounts."""

from django.contrib import admin, messages

from agents.models import Integration
from config.admin.bases import BaseModelAdmin, fieldset
from config.tenancy.scope import require_scope


@admin.register(Integration)
class IntegrationAdmin(BaseModelAdmin):
    resource = "integrations"
    icon = "cable"
    position = 30
    owner = "user"
    list_display = ("name", "platform", "base_url", "status", "last_sync_at", "last_error", "user")
    list_filter = ("platform", "status")
    search_fields = ("name", "base_url")
    actions = ("check_connection",)
    fieldsets = (
        fieldset(None, ("name", "platform"), "base_url", "credentials"),
        fieldset(
            "State",
            ("status", "last_sync_at"),
            "last_error",
            ("failure_count", "paused_until"),
            "offered_models",
            "usage_stats",
            "user",
        ),
        fieldset("Data", "config", collapse=True),
    )

    @admin.action(description="Check the connection", permissions=["change"])
    def check_connection(self, request, queryset):
        """Start the checks as jobs, because a transaction must not wait for the network."""
        from agents.tasks import check_integration

        actor = require_scope().actor
        for tenant_id, pk in queryset.values_list("tenant_id", "pk"):
            check_integration.defer(tenant_id=str(tenant_id), integration_id=str(pk), actor=actor)
        messages.success(request, "Connection checks started. Reload the page to see the resulting status.")
