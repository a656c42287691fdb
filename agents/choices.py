"""Enumerated values of agents."""

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


class IntegrationStatus(TextChoices):
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    ERROR = "error"


class WebSearchProvider(TextChoices):
    """Services that search the web for agents; accounts at them are integrations too."""

    TAVILY = "tavily", "Tavily (web search)"
    SERPAPI = "serpapi", "SerpApi (web search)"


INTEGRATION_PLATFORMS = [*Provider.choices, *WebSearchProvider.choices]


class RunStatus(TextChoices):
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class PaymentStatus(TextChoices):
    PENDING = "pending"
    COMPLETED = "completed"
    REFUNDED = "refunded"


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
    BASIC_AUTH = "basic_auth", "Name and password"


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
    REQUESTS = "requests", "Answers asked for"
    COST = "cost", "US dollars"


class BudgetPeriod(TextChoices):
    REQUEST = "request", "One answer"
    DAY = "day"
    MONTH = "month"
    TOTAL = "total", "At any time"
