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
