"""Console page for model usage and cost."""

from django.contrib import admin

from agents.models import LlmUsage
from audit.admin.exports import AuditedExportMixin
from config.admin.bases import ReadOnlyAdmin, fieldset
from config.admin.filters import CreatedFilter


@admin.register(LlmUsage)
class LlmUsageAdmin(AuditedExportMixin, ReadOnlyAdmin):
    resource = "usage"
    named_ids = {
        "agent_id": "agents.Agent.name",
        "integration_id": "agents.Integration.name",
        "user_id": "accounts.User.email",
    }
    icon = "monitoring"
    title = "Model usage"
    position = 40
    list_display = (
        "created_at",
        "provider",
        "model",
        "total_tokens",
        "total_cost",
        "latency_ms",
        "status_code",
    )
    list_filter = (CreatedFilter, "provider")
    search_fields = ("model__exact", "conversation_id__exact", "task_id__exact")
    search_help_text = "Exact model name, conversation ID or task ID."
    # Payloads contain private conversations.
    export_exclude = ("request_payload", "response_payload")
    fieldsets = (
        fieldset(None, ("provider", "model"), ("latency_ms", "status_code"), "error_message"),
        fieldset("Tokens", ("prompt_tokens", "completion_tokens", "total_tokens")),
        fieldset("Cost in US dollars", ("prompt_cost", "completion_cost", "total_cost"), "cost_known"),
        fieldset(
            "Origin",
            ("user_id", "agent_id"),
            ("conversation_id", "message_id"),
            "integration_id",
            ("flow_id", "task_id"),
            "feature_context",
        ),
    )
