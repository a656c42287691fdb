"""Console page for agent runs."""

from django.contrib import admin

from agents.models import AgentRun
from config.admin.bases import ReadOnlyAdmin, fieldset
from config.admin.filters import CreatedFilter


@admin.register(AgentRun)
class AgentRunAdmin(ReadOnlyAdmin):
    """The user's own runs. No other user can read their prompts and responses."""

    named_ids = {"agent_id": "agents.Agent.name", "user_id": "accounts.User.email"}
    resource = "conversations"
    icon = "play_circle"
    title = "Runs"
    position = 45
    list_display = ("created_at", "agent_id", "status", "execution_time_ms", "tokens_used")
    list_filter = (CreatedFilter, "status")
    search_fields = ("agent_id__exact", "conversation_id__exact")
    search_help_text = "Exact agent ID or conversation ID."
    fieldsets = (
        fieldset(None, ("status", "execution_time_ms", "tokens_used"), "prompt", "response", "error_message"),
        fieldset("Use", ("model_calls", "retry_count"), ("cost", "memory_used_mb")),
        fieldset(
            "Origin",
            ("agent_id", "agent_version"),
            ("conversation_id", "message_id"),
            ("meeting_id", "user_id"),
        ),
    )

    def get_queryset(self, request):
        return super().get_queryset(request).filter(user_id=request.user.pk)
