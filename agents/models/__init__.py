"""Models of agents."""

from .agents import Agent, AgentCollection, AgentVersion
from .integrations import Integration
from .mcp import McpServer, McpServerConfig, McpServerUser
from .platforms import PlatformAdapter, PlatformCredential
from .prompts import SystemPrompt
from .reports import AgentActivityDaily, UsageDaily
from .runs import AgentRun
from .templates import AgentTemplate, TemplateDocument, TemplatePurchase, TemplateRating
from .usage import LlmUsage

__all__ = [
    "Agent",
    "AgentActivityDaily",
    "AgentCollection",
    "AgentRun",
    "AgentTemplate",
    "AgentVersion",
    "Integration",
    "LlmUsage",
    "McpServer",
    "McpServerConfig",
    "McpServerUser",
    "PlatformAdapter",
    "PlatformCredential",
    "SystemPrompt",
    "TemplateDocument",
    "TemplatePurchase",
    "TemplateRating",
    "UsageDaily",
]
