"""Models of agents."""

from .agents import Agent, AgentCollection, AgentVersion
from .budgets import Budget, BudgetCounter, BudgetReservation
from .fallbacks import AgentFallback
from .integrations import Integration
from .mcp import McpServer, McpServerConfig, McpServerUser
from .payouts import LedgerEntry, Payout
from .platforms import PlatformAdapter, PlatformCredential
from .prices import ModelPrice
from .prompts import PromptVersion, SystemPrompt
from .reports import AgentActivityDaily, UsageDaily
from .runs import AgentRun
from .templates import AgentTemplate, TemplateDocument, TemplatePurchase, TemplateRating
from .usage import LlmUsage

__all__ = [
    "Agent",
    "AgentActivityDaily",
    "AgentCollection",
    "AgentFallback",
    "AgentRun",
    "AgentTemplate",
    "AgentVersion",
    "Budget",
    "BudgetCounter",
    "BudgetReservation",
    "Integration",
    "LedgerEntry",
    "LlmUsage",
    "McpServer",
    "McpServerConfig",
    "McpServerUser",
    "ModelPrice",
    "Payout",
    "PlatformAdapter",
    "PlatformCredential",
    "PromptVersion",
    "SystemPrompt",
    "TemplateDocument",
    "TemplatePurchase",
    "TemplateRating",
    "UsageDaily",
]
