"""Which agent speaks in a conversation, by what prompt, and whether it can as it is set up."""

from typing import Any

from agents.choices import Provider
from agents.models import Agent, AgentCollection
from agents.services.prompts import PromptProblem, count_use, instructions_of
from agents.services.versions import as_published
from conversations.models import Conversation
from conversations.runtime.structure import OUTPUT_SCHEMA, schema_problem
from knowledge.models import Collection


def speaking(live: Agent, conversation: Conversation) -> tuple[Agent, list[Collection], str]:
    """The agent as it speaks in `conversation`, what it reads, and why it cannot speak (empty: it can)."""
    # Versions are pinned where one agent answers.
    single = live.pk == conversation.agent_id
    agent, pinned = as_published(live, conversation.agent_version if single else None)
    reading = AgentCollection.objects.filter(agent_id=agent.pk).values("collection_id")
    rows = Collection.objects.filter(pk__in=reading if pinned is None else pinned)
    return agent, list(rows.order_by("slug")), _speak(agent)


def _speak(agent: Agent) -> str:
    """Give the agent the text of the prompt that it names; says why when it cannot be had."""
    try:
        agent.system_prompt, prompt = instructions_of(agent)
    except PromptProblem as error:
        return str(error)
    if prompt is not None:
        count_use(prompt.pk)
        # The answer keeps which prompt it was spoken by: people's verdicts count for it.
        agent.spoken_prompt = prompt.pk
    return unfit(schema_of(agent), agent)


def unfit(schema: Any, agent: Agent) -> str:
    """Why the agent cannot answer by the schema; empty when it can, or there is none."""
    if schema is None:
        return ""
    if agent.model_provider == Provider.EXTRACTIVE:
        return "The offline model quotes and writes no JSON: its answers cannot have a schema."
    return schema_problem(schema)


def schema_of(agent: Agent) -> Any:
    """The JSON schema of all of the agent's answers, which its settings hold; None: they are text."""
    return agent.config.get(OUTPUT_SCHEMA) if isinstance(agent.config, dict) else None
