"""Workflows and their versions."""

from django.contrib import admin

from audit.admin.exports import AuditedExportMixin
from config.admin.bases import BaseModelAdmin, ReadOnlyAdmin, fieldset
from config.admin.inlines import BaseInline
from workflows.admin.definition_pages import DefinitionPageMixin
from workflows.models import Workflow, WorkflowAgent, WorkflowVersion


class AgentInline(BaseInline):
    model = WorkflowAgent
    resource = "workflows"
    fields = ("agent",)
    verbose_name = "agent"
    verbose_name_plural = "agents"


@admin.register(Workflow)
class WorkflowAdmin(DefinitionPageMixin, AuditedExportMixin, BaseModelAdmin):
    resource = "workflows"
    icon = "account_tree"
    position = 10
    owner = "created_by"
    list_display = (
        "name",
        "slug",
        "status",
        "version",
        "run_count",
        "error_count",
        "last_run_status",
        "last_run_at",
    )
    list_filter = ("status", "last_run_status")
    search_fields = ("name", "slug", "description")
    date_hierarchy = "created_at"
    prepopulated_fields = {"slug": ("name",)}
    inlines = (AgentInline,)
    fieldsets = (
        fieldset(None, ("name", "slug"), "description", ("status", "version")),
        fieldset("Steps", "definition", ("timeout", "retry_config")),
        fieldset("Runs", ("run_count", "success_count", "error_count"), ("last_run_at", "last_run_status")),
        fieldset("Data", "config", "tags", "metadata", "created_by", collapse=True),
    )


@admin.register(WorkflowAgent)
class WorkflowAgentAdmin(BaseModelAdmin):
    resource = "workflows"
    icon = "link"
    in_sidebar = False
    list_display = ("workflow", "agent", "created_at")
    search_fields = ("workflow__name", "agent__name")


@admin.register(WorkflowVersion)
class WorkflowVersionAdmin(ReadOnlyAdmin):
    resource = "workflows"
    icon = "commit"
    title = "Versions"
    position = 30
    list_display = ("workflow", "version", "note", "created_by", "created_at")
    search_fields = ("workflow__name", "workflow__slug")
    date_hierarchy = "created_at"
    fieldsets = (fieldset(None, ("workflow", "version"), "note", "created_by", "snapshot"),)
