"""Choices of the agents app."""

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import TextChoices


class AgentStatus(TextChoices):
    DRAFT = "draft"
    ACTIVE = "active"
    INACTIVE = "inactive"
    ARCHIVED = "archived"


class Provider(TextChoices):
    EXTRACTIVE = "extractive", "Extractive (offline, quotes passages)"
    OPENAI_COMPATIBLE = "openai-compatible", "OpenAI-compatible endpoint"
    OPENAI = "openai", "OpenAI"
    ANTHROPIC = "anthropic", "Anthropic"
    GOOGLE = "google", "Google"
    XAI = "xai", "xAI"
    COHERE = "cohere", "Cohere"
    PERPLEXITY = "perplexity", "Perplexity"
    OLLAMA = "ollama", "Ollama"


class BuiltinTool(TextChoices):
    """Built-in tools."""

    SEARCH_KNOWLEDGE = (
        "search_knowledge",
        "Search the agent's collections (always available with collections)",
    )
    CALCULATOR = "calculator", "Calculator"
    CURRENT_TIME = "current_time", "Current time"
    HTTP_FETCH = "http_fetch", "Fetch a public web page"
    WEB_SEARCH = "web_search", "Search the web"


class WorkflowTool(TextChoices):
    """Built-in tools of agents for workflows."""

    LIST_WORKFLOWS = "list_workflows", "List the workflows that can be started"
    START_WORKFLOW = "start_workflow", "Start a workflow"
    READ_WORKFLOW_RUN = "read_workflow_run", "Read the state and output of a run of a workflow"


BUILTIN_TOOLS = (*BuiltinTool.values, *WorkflowTool.values)
MCP_PREFIX = "mcp:"
# All tools of a registered server (`mcp:<slug>`), or one of them (`mcp:<slug>/<tool>`).
MCP_TOOL = re.compile(r"mcp:[a-zA-Z0-9_-]{1,100}(/[A-Za-z0-9_.\-/]{1,128})?")


def validate_tools(value: Any) -> None:
    """Validate tool names: built-in, `mcp:<server>` or `mcp:<server>/<tool>`.

    Raises:
        ValidationError: Includes the index of the invalid name.
    """
    if not isinstance(value, list):
        raise ValidationError("Must be a list of tool names.")
    for place, name in enumerate(value):
        if not isinstance(name, str) or not (name in BUILTIN_TOOLS or MCP_TOOL.fullmatch(name)):
            known = ", ".join(BUILTIN_TOOLS)
            raise ValidationError(f"[{place}]: must be one of {known}, mcp:<server> or mcp:<server>/<tool>.")
    if len(set(value)) < len(value):
        raise ValidationError("Tool names must be unique.")


class IntegrationStatus(TextChoices):
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    ERROR = "error"


class WebSearchProvider(TextChoices):
    """Web search services; their accounts are stored as integrations."""

    TAVILY = "tavily", "Tavily (web search)"
    SERPAPI = "serpapi", "SerpApi (web search)"


# Account at any HTTP service, used by `http` steps of workflows.
HTTP_SERVICE = "http"
INTEGRATION_PLATFORMS = [
    *Provider.choices,
    *WebSearchProvider.choices,
    (HTTP_SERVICE, "HTTP service (workflows)"),
]


class RunStatus(TextChoices):
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class UsageFeature(TextChoices):
    """Purpose of a call to a model."""

    CONVERSATION = "conversation"
    MEETING = "meeting"
    COMPLETION = "completion", "Request to /v1"
    EMBEDDINGS = "embeddings"
    SUMMARY = "summary", "Summary of a session"
    EVALUATION = "evaluation", "Judged questions"


class RunTexts(TextChoices):
    """How an organisation stores prompts, responses and the payloads of model calls."""

    MASKED = "masked", "Without secrets and personal data"
    FULL = "full"
    NONE = "none"


class PaymentStatus(TextChoices):
    PENDING = "pending"
    COMPLETED = "completed"
    REFUNDED = "refunded"


class LedgerEntryKind(TextChoices):
    SALE = "sale"
    REFUND = "refund"


class PayoutStatus(TextChoices):
    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed", "Refused by the payment provider"


class PayoutMethod(TextChoices):
    MANUAL = "manual", "By hand"
    STRIPE = "stripe", "Stripe Connect"


class AdapterType(TextChoices):
    DISCOVERY = "discovery"
    ASSESSMENT = "assessment"
    MIGRATION = "migration"


class AdapterStatus(TextChoices):
    ACTIVE = "active"
    DEPRECATED = "deprecated"
    DISABLED = "disabled"


class CredentialType(TextChoices):
    API_KEY = "api_key", "API key"
    OAUTH2 = "oauth2", "OAuth 2"
    BASIC_AUTH = "basic_auth", "User name and password"


class CredentialStatus(TextChoices):
    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class McpServerType(TextChoices):
    STDIO = "stdio", "Standard input and output"
    SSE = "sse", "Server-sent events"
    HTTP = "http", "Streamable HTTP"


class McpServerStatus(TextChoices):
    ACTIVE = "active"
    DEPRECATED = "deprecated"
    DISABLED = "disabled"


class McpCategory(TextChoices):
    SYSTEM = "system"
    INTEGRATION = "integration"
    DATA = "data"
    OTHER = "other"


class BudgetSubject(TextChoices):
    TENANT = "tenant", "The organisation"
    USER = "user", "A person"
    KEY = "key", "An API key"
    AGENT = "agent", "An agent"


class BudgetResource(TextChoices):
    TOKENS = "tokens", "Model tokens"
    REQUESTS = "requests", "Model requests"
    COST = "cost", "US dollars"


class BudgetPeriod(TextChoices):
    REQUEST = "request", "Per request"
    DAY = "day"
    MONTH = "month"
    TOTAL = "total", "Total"
