"""Console pages of agents."""

from .agents import AgentAdmin, AgentCollectionAdmin, AgentVersionAdmin
from .integrations import IntegrationAdmin
from .usage import LlmUsageAdmin

__all__ = ["AgentAdmin", "AgentCollectionAdmin", "AgentVersionAdmin", "IntegrationAdmin", "LlmUsageAdmin"]
