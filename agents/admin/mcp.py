"""Console pages for Model Context Protocol (MCP) servers."""

from django.contrib import admin, messages

from agents.models import McpServer, McpServerConfig, McpServerUser
from agents.services.mcp import config_errors, env_errors
from agents.tasks import refresh_mcp_server
from config.admin.bases import BaseModelAdmin, fieldset
from config.admin.forms import BaseModelForm
from config.admin.inlines import BaseInline


@admin.register(McpServer)
class McpServerAdmin(BaseModelAdmin):
    resource = "mcp-servers"
    icon = "dns"
    title = "MCP servers"
    position = 36
    list_display = ("name", "slug", "version", "category", "server_type", "status", "is_public")
    list_filter = ("category", "server_type", "status", "is_public")
    search_fields = ("name", "slug", "description")
    prepopulated_fields = {"slug": ("name",)}
    actions = ("refresh",)
    readonly_fields = ("refreshed_at", "last_error")
    fieldsets = (
        fieldset(
            None, ("name", "slug", "version"), "description", ("category", "status"), ("is_public", "owner")
        ),
        fieldset("Connection", "server_type", "command"),
        fieldset(
            "Offers",
            "tool_definitions",
            ("resource_definitions", "prompt_definitions"),
            "config_schema",
            ("refreshed_at", "last_error"),
        ),
        fieldset("Advanced", ("documentation_url", "repository_url"), "metadata", collapse=True),
    )

    def get_fieldsets(self, request, obj=None):
        """Hide the start command from users who are not platform staff."""
        sets = super().get_fieldsets(request, obj)
        if request.console.is_platform:
            return sets
        return [
            (title, options | {"fields": ("server_type",)} if title == "Connection" else options)
            for title, options in sets
        ]

    @admin.action(description="Refresh tools, resources and prompts", permissions=["change"])
    def refresh(self, request, queryset):
        for server in queryset:
            refresh_mcp_server.defer(slug=server.slug)
        self.message_user(request, "Refresh started. Reload the page to see the result.", messages.SUCCESS)


class McpServerConfigForm(BaseModelForm):
    """Validates `config` against the server's schema, as the API does."""

    def clean(self):
        cleaned = super().clean()
        server = cleaned.get("mcp_server")
        config = cleaned.get("config_new") or (self.instance.config if self.instance.pk else None)
        wrong = {
            "config_new": config_errors(server, config) if server else [],
            "env_new": env_errors(server, cleaned.get("env_new")) if server else [],
        }
        for box, errors in wrong.items():
            if errors and box in self.fields and box not in self.errors:
                self.add_error(box, errors)
        return cleaned


class McpServerUserInline(BaseInline):
    model = McpServerUser
    resource = "mcp-servers"
    fields = ("user",)
    verbose_name = "person"
    verbose_name_plural = "Allowed users (unless available to all users)"


@admin.register(McpServerConfig)
class McpServerConfigAdmin(BaseModelAdmin):
    form = McpServerConfigForm
    resource = "mcp-servers"
    icon = "tune"
    title = "MCP configurations"
    position = 38
    owner = "created_by"
    list_display = ("mcp_server", "enabled", "for_all_users", "created_by", "updated_at")
    list_filter = ("enabled", "for_all_users")
    search_fields = ("mcp_server__name", "mcp_server__slug")
    inlines = (McpServerUserInline,)
    fieldsets = (
        fieldset(None, "mcp_server", ("enabled", "for_all_users")),
        fieldset("Settings", "config", "env", "resource_limits"),
        fieldset("Owner", "created_by", collapse=True),
    )


@admin.register(McpServerUser)
class McpServerUserAdmin(BaseModelAdmin):
    resource = "mcp-servers"
    icon = "person_add"
    in_sidebar = False
    list_display = ("config", "user", "created_at")
    search_fields = ("user__email",)
    list_select_related = ("config__mcp_server",)
