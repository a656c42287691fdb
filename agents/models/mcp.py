"""Model Context Protocol (MCP) servers and their configurations per tenant."""

from typing import Any

from django.contrib.postgres.indexes import GinIndex
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import models
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from agents.choices import McpCategory, McpServerStatus, McpServerType
from config.db.constraints import TENANT_CLAUSE, choices_constraint, unique_per_tenant
from config.encryption.fields import EncryptedJSONField
from config.tenancy.models import GlobalModel, MemberForeignKey, TenantForeignKey, TenantModel

WEB_URL_VALIDATOR = URLValidator(schemes=["http", "https"])
RESOURCE_LIMITS = ("timeout", "memory_mb", "cpu_seconds", "max_calls_per_minute")


def validate_limits(value: Any) -> None:
    """Validate resource limits: positive numbers with names from `RESOURCE_LIMITS`.

    Raises:
        ValidationError: Includes the name of the invalid limit.
    """
    if not isinstance(value, dict):
        raise ValidationError("Must be an object.")
    for name, limit in value.items():
        if name not in RESOURCE_LIMITS:
            raise ValidationError(f"{name}: unknown limit. Choose from: {', '.join(RESOURCE_LIMITS)}.")
        if isinstance(limit, bool) or not isinstance(limit, int | float) or limit <= 0:
            raise ValidationError(f"{name}: must be a positive number.")


def check_schema(schema: Any) -> None:
    """Validate that `schema` is empty or a JSON Schema (2020-12).

    It may contain a list `environment`.

    Raises:
        ValidationError: Includes the path of the error.
    """
    if not isinstance(schema, dict):
        raise ValidationError("Must be an object.")
    names = schema.get("environment", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValidationError("environment: must be a list of names of environment variables.")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = "/".join(map(str, error.path)) or "schema"
        raise ValidationError(f"{place}: {error.message}") from error


class McpServer(GlobalModel):
    """A registered MCP server, available to all tenants if public, else only to `owner`.

    Only the platform can write it, because the commands run on the platform's machines.
    """

    row_security = {
        "read": "(is_public OR owner_id = (SELECT conclave_current_tenant()))",
        "verbs": "SELECT",
    }

    owner = models.ForeignKey(
        "tenants.Tenant",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text="The only tenant that can use the server while it is not public.",
    )
    name = models.CharField(max_length=255, help_text="Display name.")
    slug = models.SlugField(max_length=100, unique=True, help_text="Unique name in the API.")
    description = models.TextField(blank=True, default="", help_text="Purpose of the server.")
    version = models.CharField(max_length=50, blank=True, default="", help_text="Server version.")
    category = models.CharField(
        max_length=50, choices=McpCategory, default=McpCategory.OTHER, help_text="Category."
    )
    server_type = models.CharField(
        max_length=20, choices=McpServerType, default=McpServerType.STDIO, help_text="Transport."
    )
    command = models.CharField(
        max_length=1000, help_text="Command that starts a local server, or URL of a remote one."
    )
    config_schema = models.JSONField(
        default=dict,
        blank=True,
        validators=[check_schema],
        help_text="JSON Schema of the configuration.",
    )
    tool_definitions = models.JSONField(default=list, blank=True, help_text="Tools offered.")
    resource_definitions = models.JSONField(default=list, blank=True, help_text="Resources offered.")
    prompt_definitions = models.JSONField(default=list, blank=True, help_text="Prompts offered.")
    refreshed_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When tools, resources and prompts were listed."
    )
    last_error = models.TextField(
        blank=True, default="", editable=False, help_text="Error of the latest refresh."
    )
    status = models.CharField(
        max_length=20,
        choices=McpServerStatus,
        default=McpServerStatus.ACTIVE,
        help_text="Whether the server can be used.",
    )
    is_public = models.BooleanField(default=False, help_text="Whether all tenants can use it.")
    documentation_url = models.CharField(
        max_length=500, blank=True, default="", validators=[WEB_URL_VALIDATOR], help_text="Documentation."
    )
    repository_url = models.CharField(
        max_length=500, blank=True, default="", validators=[WEB_URL_VALIDATOR], help_text="Source code."
    )
    metadata = models.JSONField(default=dict, blank=True, help_text="Additional data as JSON.")

    class Meta(GlobalModel.Meta):
        indexes = [
            models.Index(fields=["category"], name="agents_mcpserver_category"),
            models.Index(fields=["status"], name="agents_mcpserver_status"),
            GinIndex(fields=["metadata"], name="agents_mcpserver_metadata"),
        ]
        constraints = [
            choices_constraint("category", McpCategory.values),
            choices_constraint("server_type", McpServerType.values, name="agents_mcpserver_type_known"),
            choices_constraint("status", McpServerStatus.values),
        ]

    def __str__(self) -> str:
        return self.name


class McpServerConfig(TenantModel):
    """A tenant's configuration of a server: settings, limits and allowed users."""

    row_security = {
        "read": TENANT_CLAUSE,
        # Only servers visible to the tenant can be configured.
        "write": f"({TENANT_CLAUSE} AND EXISTS (SELECT FROM agents_mcpserver s WHERE s.id = mcp_server_id))",
        # The configuration of a hidden server can still be deleted, together with its secrets.
        "owned": TENANT_CLAUSE,
    }

    mcp_server = models.ForeignKey(
        McpServer, models.CASCADE, related_name="+", help_text="The registered server."
    )
    enabled = models.BooleanField(default=True, help_text="Whether the server is used.")
    config = EncryptedJSONField(
        null=True, blank=True, help_text="Values for the server's configuration schema, encrypted."
    )
    env = EncryptedJSONField(null=True, blank=True, help_text="Environment variables, stored encrypted.")
    resource_limits = models.JSONField(
        default=dict,
        blank=True,
        validators=[validate_limits],
        help_text='Limits, such as {"timeout": 30, "memory_mb": 512}.',
    )
    for_all_users = models.BooleanField(
        default=True, help_text="Whether all members can use it. Otherwise, only allowed users can."
    )
    allowed_users = models.ManyToManyField(
        "accounts.User",
        through="agents.McpServerUser",
        related_name="+",
        help_text="Users allowed when the server is not available to all members.",
    )
    created_by = MemberForeignKey(help_text="User who created it.", editable=False)

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["tenant", "enabled"], name="agents_mcpconfig_enabled")]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "mcp_server"],
                name="agents_mcpconfig_once",
                violation_error_message="This server is already configured.",
            )
        ]

    def __str__(self) -> str:
        return f"configuration of {self.mcp_server}"


class McpServerUser(TenantModel):
    """Permission of a user to use a restricted server configuration."""

    config = TenantForeignKey(
        McpServerConfig, models.CASCADE, related_name="users", help_text="Server configuration."
    )
    user = MemberForeignKey(models.CASCADE, help_text="User who can use it.")

    class Meta(TenantModel.Meta):
        constraints = [unique_per_tenant("config", "user", message="This user already has permission.")]

    def __str__(self) -> str:
        return f"{self.user} may use {self.config}"
