"""Resolves the agent of a turn: its version, collections, prompt and configuration errors."""

from typing import Any

from agents.choices import Provider
from agents.models import Agent, AgentCollection
from agents.services.prompts import PromptProblem, count_use, instructions_of
from agents.services.versions import as_published
from conversations.models import Conversation
from conversations.runtime.structure import OUTPUT_SCHEMA, schema_problem
from knowledge.models import Collection


def speaking(live: Agent, conversation: Conversation) -> tuple[Agent, list[Collection], str]:
    """Return the conversation's agent, its collections and any configuration error."""
    # Versions are pinned only for the conversation's own agent.
    single = live.pk == conversation.agent_id
    agent, pinned = as_published(live, conversation.agent_version if single else None)
    reading = AgentCollection.objects.filter(agent_id=agent.pk).values("collection_id")
    rows = Collection.objects.filter(pk__in=reading if pinned is None else pinned)
    return agent, list(rows.order_by("slug")), _speak(agent)


def _speak(agent: Agent) -> str:
    """Set the agent's prompt text; return a configuration error or an empty string."""
    try:
        agent.system_prompt, prompt = instructions_of(agent)
    except PromptProblem as error:
        return str(error)
    if prompt is not None:
        count_use(prompt.pk)
        # Stored with the answer, so that feedback counts for the prompt.
        agent.spoken_prompt = prompt.pk
    return unfit(schema_of(agent), agent)


def unfit(schema: Any, agent: Agent) -> str:
    """Return why the agent cannot use the schema, or an empty string."""
    if schema is None:
        return ""
    if agent.model_provider == Provider.EXTRACTIVE:
        return "The offline model cannot generate JSON. Choose another model or remove the schema."
    return schema_problem(schema)


def schema_of(agent: Agent) -> Any:
    """Return the agent's answer schema, or None for plain text."""
    return agent.config.get(OUTPUT_SCHEMA) if isinstance(agent.config, dict) else None
