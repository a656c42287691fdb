"""Models of agents."""

from .agents import Agent, AgentCollection, AgentVersion
from .integrations import Integration
from .usage import LlmUsage

__all__ = ["Agent", "AgentCollection", "AgentVersion", "Integration", "LlmUsage"]
