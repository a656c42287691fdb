"""Console pages of the agents app."""

from .agents import AgentAdmin, AgentCollectionAdmin, AgentVersionAdmin
from .budgets import BudgetAdmin, BudgetCounterAdmin, BudgetReservationAdmin, ModelPriceAdmin
from .fallbacks import AgentFallbackAdmin
from .integrations import IntegrationAdmin
from .mcp import McpServerAdmin, McpServerConfigAdmin, McpServerUserAdmin
from .payouts import LedgerEntryAdmin, PayoutAdmin
from .platforms import PlatformAdapterAdmin, PlatformCredentialAdmin
from .prompts import PromptVersionAdmin, SystemPromptAdmin
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
    "AgentFallbackAdmin",
    "AgentRunAdmin",
    "AgentTemplateAdmin",
    "AgentVersionAdmin",
    "BudgetAdmin",
    "BudgetCounterAdmin",
    "BudgetReservationAdmin",
    "IntegrationAdmin",
    "LedgerEntryAdmin",
    "LlmUsageAdmin",
    "McpServerAdmin",
    "McpServerConfigAdmin",
    "McpServerUserAdmin",
    "ModelPriceAdmin",
    "PayoutAdmin",
    "PlatformAdapterAdmin",
    "PlatformCredentialAdmin",
    "PromptVersionAdmin",
    "SystemPromptAdmin",
    "TemplateDocumentAdmin",
    "TemplatePurchaseAdmin",
    "TemplateRatingAdmin",
    "UsageDailyAdmin",
]
