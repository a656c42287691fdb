"""Console page for fallback models."""

from django.contrib import admin

from agents.models import AgentFallback
from config.admin.bases import BaseModelAdmin, fieldset


@admin.register(AgentFallback)
class AgentFallbackAdmin(BaseModelAdmin):
    resource = "agents"
    icon = "alt_route"
    position = 12
    list_display = ("agent", "position", "model_provider", "model_name", "integration")
    list_filter = ("model_provider",)
    search_fields = ("agent__name", "model_name")
    fieldsets = (fieldset(None, ("agent", "position"), ("model_provider", "model_name"), "integration"),)
