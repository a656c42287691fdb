"""Console pages for agents, their collections and versions."""

from django.contrib import admin, messages

from agents.choices import AgentStatus
from agents.models import Agent, AgentCollection, AgentVersion
from agents.services.agents import archive_agent, publish_agent
from agents.services.versions import restore_version
from audit.admin.exports import AuditedExportMixin
from config.admin.bases import BaseModelAdmin, ReadOnlyAdmin, fieldset
from config.admin.inlines import BaseInline


class KnowledgeInline(BaseInline):
    model = AgentCollection
    resource = "agents"
    fields = ("collection",)
    verbose_name = "collection"
    verbose_name_plural = "Searchable collections"


@admin.register(Agent)
class AgentAdmin(AuditedExportMixin, BaseModelAdmin):
    resource = "agents"
    icon = "smart_toy"
    position = 10
    owner = "created_by"
    list_display = ("name", "slug", "model_provider", "model_name", "status", "version", "updated_at")
    list_filter = ("status", "model_provider")
    search_fields = ("name", "slug", "description")
    prepopulated_fields = {"slug": ("name",)}
    inlines = (KnowledgeInline,)
    actions = ("publish", "archive")
    fieldsets = (
        fieldset(None, ("name", "slug"), "description", ("status", "version")),
        fieldset(
            "Model",
            ("model_provider", "model_name"),
            "integration",
            ("temperature", "max_tokens"),
            "system_prompt",
        ),
        fieldset(
            "Behaviour",
            ("tools", "approvals"),
            ("timeout", "tool_timeout", "max_iterations"),
            ("memory_enabled", "prompt_key"),
        ),
        fieldset("Data", "capabilities", "tags", "config", "metadata", "created_by", collapse=True),
    )

    def has_publish_permission(self, request):
        # Publishing needs the tenant scope of the agent, which the platform console does not have.
        return self.has_change_permission(request) and not request.console.is_platform

    @admin.action(description="Publish a new version", permissions=["publish"])
    def publish(self, request, queryset):
        for agent in queryset:
            publish_agent(agent, actor=request.user.pk)
        self.message_user(request, f"{len(queryset)} agents published.", messages.SUCCESS)

    @admin.action(description="Archive selected agents", permissions=["change"])
    def archive(self, request, queryset):
        for agent in queryset.exclude(status=AgentStatus.ARCHIVED):
            archive_agent(agent)
        self.message_user(request, "Agents archived.", messages.SUCCESS)


@admin.register(AgentCollection)
class AgentCollectionAdmin(BaseModelAdmin):
    resource = "agents"
    icon = "link"
    in_sidebar = False
    list_display = ("agent", "collection", "created_at")
    search_fields = ("agent__name", "collection__name")


@admin.register(AgentVersion)
class AgentVersionAdmin(ReadOnlyAdmin):
    resource = "agents"
    icon = "commit"
    title = "Versions"
    position = 20
    list_display = ("agent", "version", "note", "created_by", "created_at")
    search_fields = ("agent__name", "agent__slug")
    fieldsets = (fieldset(None, ("agent", "version"), "note", "created_by", "snapshot"),)
    actions = ("restore",)

    def has_restore_permission(self, request):
        return not request.console.is_platform and request.console.allows("agents", "write")

    @admin.action(description="Restore as draft", permissions=["restore"])
    def restore(self, request, queryset):
        for version in queryset.select_related("agent"):
            restore_version(version.agent, version, actor=request.user.pk)
        self.message_user(request, f"{len(queryset)} versions restored as drafts.", messages.SUCCESS)
