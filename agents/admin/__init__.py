"""Console pages of agents."""

from .agents import AgentAdmin, AgentCollectionAdmin, AgentVersionAdmin
from .integrations import IntegrationAdmin
from .mcp import McpServerAdmin, McpServerConfigAdmin, McpServerUserAdmin
from .platforms import PlatformAdapterAdmin, PlatformCredentialAdmin
from .prompts import SystemPromptAdmin
from .reports import AgentActivityDailyAdmin, UsageDailyAdmin
from .runs import AgentRunAdmin
from .templates import (
    AgentTemplateAdmin,
    TemplateDocumentAdmin,
    TemplatePurchaseAdmin,
    TemplateRatingAdmin,
)
from .usage import LlmUsageAdmin

__all__ = [
    "AgentActivityDailyAdmin",
    "AgentAdmin",
    "AgentCollectionAdmin",
    "AgentRunAdmin",
    "AgentTemplateAdmin",
    "AgentVersionAdmin",
    "IntegrationAdmin",
    "LlmUsageAdmin",
    "McpServerAdmin",
    "McpServerConfigAdmin",
    "McpServerUserAdmin",
    "PlatformAdapterAdmin",
    "PlatformCredentialAdmin",
    "SystemPromptAdmin",
    "TemplateDocumentAdmin",
    "TemplatePurchaseAdmin",
    "TemplateRatingAdmin",
    "UsageDailyAdmin",
]
