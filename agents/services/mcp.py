"""MCP server access, configuration and limits."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from jsonschema import Draft202012Validator

from agents.choices import McpServerStatus
from agents.models import McpServer, McpServerConfig, McpServerUser

# Environment variables that change what a program loads or how a shell behaves; only the operator may set them.
RESERVED_PREFIXES = ("LD_", "DYLD_", "PYTHON", "NODE_", "PERL", "RUBY", "GIT_", "BASH_", "CONCLAVE_")
RESERVED_NAMES = frozenset({"PATH", "HOME", "IFS", "ENV", "SHELL", "PS4", "MCP_CONFIG"})
# Key of a server's schema that lists the variables.
ENVIRONMENT = "environment"
VARIABLE_NAME = r"^[A-Z][A-Z0-9_]{0,99}$"
ENV_SCHEMA = {
    "type": "object",
    "maxProperties": 50,
    "propertyNames": {"pattern": VARIABLE_NAME},
    "additionalProperties": {"type": "string", "maxLength": 10_000, "pattern": r"^[^\x00]*$"},
}


class CallRateError(RuntimeError):
    """Raised when the tenant exceeds its rate limit for a server."""


def config_errors(server: McpServer, config: Any) -> list[str]:
    """Return validation errors of a tenant's configuration, one per field, without secret values."""
    return list(_errors({"type": "object", **(server.config_schema or {})}, config or {}))


def env_errors(server: McpServer, env: Any) -> list[str]:
    """Return validation errors of environment variables, without secret values."""
    messages = list(_errors(ENV_SCHEMA, env or {}))
    if not messages:
        unlisted = sorted(set(env or {}) - allowed_variables(server))
        messages = [f"{name}: the server's schema does not allow this variable." for name in unlisted]
    return messages


def allowed_variables(server: McpServer) -> set[str]:
    """Return the environment variables that tenants may set: `environment` in the server's schema.

    Variables that change what a program loads are never allowed.
    """
    named = (server.config_schema or {}).get(ENVIRONMENT, [])
    return {name for name in named if name not in RESERVED_NAMES and not name.startswith(RESERVED_PREFIXES)}


def _errors(schema: dict[str, Any], value: Any) -> Iterator[str]:
    for error in sorted(
        Draft202012Validator(schema).iter_errors(value), key=lambda each: list(map(str, each.path))
    ):
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
        yield f"{place.lstrip('.') or 'config'}: {_describe_error(error)}"


def _describe_error(error: Any) -> str:
    """Return a message that names the violated rule, not the value, which may be a secret."""
    if error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        return f"{', '.join(missing)} is required."
    if error.validator == "additionalProperties" and error.validator_value is False:
        known = set(error.schema.get("properties", {}))
        return f"{', '.join(sorted(set(error.instance) - known))} is not allowed."
    return f"must satisfy {error.validator}: {str(error.validator_value)[:200]}."


def effective_limits(config: McpServerConfig) -> dict[str, float]:
    """Return the tenant's limits, capped by the platform's.

    Keys: `timeout`, `memory_mb`, `cpu_seconds`, `max_calls_per_minute`.
    """
    most = {
        "timeout": settings.MCP_MAX_SECONDS,
        "memory_mb": settings.MCP_MAX_MEMORY_MB,
        "cpu_seconds": settings.MCP_MAX_SECONDS,
        "max_calls_per_minute": settings.MCP_MAX_CALLS_PER_MINUTE,
    }
    usual = {"timeout": 30, "memory_mb": 512, "cpu_seconds": 30, "max_calls_per_minute": 60}
    limits = usual | (config.resource_limits or {})
    return {name: min(float(limits[name]), float(bound)) for name, bound in most.items()}


def usable_configs(user_id: UUID | None) -> Any:
    """Return the scope's configurations that a person may use, with their servers."""
    allowed = McpServerUser.objects.filter(config=OuterRef("pk"), user_id=user_id)
    rows = McpServerConfig.objects.filter(enabled=True, mcp_server__status=McpServerStatus.ACTIVE)
    return rows.filter(Q(for_all_users=True) | Exists(allowed)).select_related("mcp_server").order_by("pk")


def count_call(config: McpServerConfig) -> None:
    """Count a tenant's call, across all processes.

    Raises:
        CallRateError: if the limit per minute is exceeded.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT hits FROM conclave_hit(%s, 60)", [f"mcp:{config.pk}"])
        ((hits,),) = cursor.fetchall()
    if hits > effective_limits(config)["max_calls_per_minute"]:
        raise CallRateError("The rate limit for this server is exceeded. Try again in a minute.")


@transaction.atomic
def store_offers(
    server: McpServer,
    *,
    tools: list[dict[str, Any]],
    resources: list[dict[str, Any]],
    prompts: list[dict[str, Any]],
    version: str = "",
) -> None:
    """Store the tools, resources and prompts a server lists. Requires the platform scope."""
    McpServer.objects.filter(pk=server.pk).update(
        tool_definitions=tools,
        resource_definitions=resources,
        prompt_definitions=prompts,
        version=version[:50] or server.version,
        refreshed_at=timezone.now(),
        last_error="",
    )


def record_refresh_failure(server: McpServer, error: str) -> None:
    """Record why a server could not be listed; its stored offers are kept."""
    McpServer.objects.filter(pk=server.pk).update(last_error=error[:1000])
