"""Console page for system prompts."""

from django.contrib import admin

from agents.models import PromptVersion, SystemPrompt
from config.admin.bases import BaseModelAdmin, ReadOnlyAdmin, fieldset
from config.admin.permissions import OwnerOnlyChangesMixin


@admin.register(SystemPrompt)
class SystemPromptAdmin(OwnerOnlyChangesMixin, BaseModelAdmin):
    """The user's own prompts and the factory prompts, which only the platform can change."""

    resource = "prompts"
    icon = "terminal"
    position = 50
    owner = "user"
    platform_adds = True
    list_display = (
        "prompt_name",
        "prompt_key",
        "prompt_category",
        "is_factory_default",
        "is_active",
        "version",
        "usage_count",
    )
    list_filter = ("is_factory_default", "is_active", "prompt_category")
    search_fields = ("prompt_name", "prompt_key", "description")
    fieldsets = (
        fieldset(
            None,
            ("prompt_name", "prompt_key", "prompt_category"),
            "description",
            "prompt_text",
            "variables",
            "change_note",
            ("is_active", "version"),
        ),
        fieldset("Use", ("usage_count", "last_used_at"), ("average_satisfaction", "success_rate")),
        fieldset("Owner", ("user", "is_factory_default"), collapse=True),
    )


@admin.register(PromptVersion)
class PromptVersionAdmin(ReadOnlyAdmin):
    """Versions of prompts, added when their text changes."""

    named_ids = {"created_by_id": "accounts.User.email"}
    resource = "prompts"
    icon = "history"
    position = 51
    list_display = ("created_at", "prompt", "version", "note", "created_by_id")
    search_fields = ("prompt__prompt_key", "note")
    fieldsets = (fieldset(None, ("prompt", "version"), "prompt_text", "note", ("created_by_id", "user")),)
