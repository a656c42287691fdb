"""Options of an agent's searches in its `config`."""

from collections.abc import Sequence
from dataclasses import replace

from pydantic import ValidationError

from agents.models import Agent
from agents.schemas import AgentConfig
from knowledge.services.passage_expansion import expand_passages
from knowledge.services.search import FoundPassage


def get_retrieval_options(agent: Agent) -> AgentConfig:
    """Return the options of the agent; the defaults if the stored ones are invalid."""
    try:
        return AgentConfig.model_validate(agent.config, strict=True)
    except ValidationError:
        return AgentConfig()


def expand_found_passages(passages: Sequence[FoundPassage], *, tokens: int) -> list[FoundPassage]:
    """Return passages whose text contains that around them. Needs a tenant scope."""
    expanded = expand_passages(passages, tokens=tokens)
    return [replace(each.passage, text=each.text, start=each.start) for each in expanded]
