"""Resolves the agent of a turn: its version, collections, prompt and configuration errors."""

from typing import Any

from accounts.choices import ModelPurpose
from agents.choices import Provider
from agents.models import Agent, AgentCollection
from agents.services.model_choices import apply_model_choice
from agents.services.prompts import PromptError, count_use, resolve_instructions
from agents.services.versions import apply_version
from conversations.models import Conversation
from conversations.runtime.structured_output import OUTPUT_SCHEMA, validate_schema
from knowledge.models import Collection


def resolve_agent(
    live: Agent, conversation: Conversation, *, purpose: str = ModelPurpose.CHAT
) -> tuple[Agent, list[Collection], str]:
    """Return the conversation's agent, its collections and any configuration error.

    Args:
        purpose: that of the answer, for agents that use the user's models.
    """
    # Versions are pinned only for the conversation's own agent.
    single = live.pk == conversation.agent_id
    version = conversation.agent_version if single else None
    agent, pinned = apply_version(live, version)
    if version is not None:
        # Stored with the run of the agent.
        agent.used_version = version.version  # type: ignore[attr-defined]
    reading = AgentCollection.objects.filter(agent_id=agent.pk).values("collection_id")
    rows = Collection.objects.filter(pk__in=reading if pinned is None else pinned)
    problem = apply_model_choice(agent, purpose)
    return agent, list(rows.order_by("slug")), problem or _apply_prompt(agent)


def _apply_prompt(agent: Agent) -> str:
    """Set the agent's prompt text; return a configuration error or an empty string."""
    try:
        agent.system_prompt, prompt = resolve_instructions(agent)
    except PromptError as error:
        return str(error)
    if prompt is not None:
        count_use(prompt.pk)
        # Stored with the answer, so that feedback counts for the prompt.
        agent.used_prompt_id = prompt.pk  # type: ignore[attr-defined]
    return get_schema_error(get_output_schema(agent), agent)


def get_schema_error(schema: Any, agent: Agent) -> str:
    """Return why the agent cannot use the schema, or an empty string."""
    if schema is None:
        return ""
    if agent.model_provider == Provider.EXTRACTIVE:
        return "The offline model cannot generate JSON. Choose another model or remove the schema."
    return validate_schema(schema)


def get_output_schema(agent: Agent) -> Any:
    """Return the agent's answer schema, or None for plain text."""
    return agent.config.get(OUTPUT_SCHEMA) if isinstance(agent.config, dict) else None
