"""Settings that each user has for agents, in `agent_settings` of the work profile."""

from decimal import Decimal
from uuid import UUID

from accounts.services.work_profile import read_work_profile
from agents.models import Agent


def apply_user_settings(agent: Agent, user_id: UUID | None) -> str:
    """Apply the user's settings to the agent, which is not saved, and return the user's instructions.

    The user can lower `max_tokens`, but not raise it beyond that of the agent.
    """
    if user_id is None:
        return ""
    chosen = read_work_profile(user_id, "agent_settings").get(agent.slug, {})
    if (temperature := chosen.get("temperature")) is not None:
        agent.temperature = Decimal(str(temperature))
    if tokens := chosen.get("max_tokens"):
        agent.max_tokens = min(tokens, agent.max_tokens)
    return str(chosen.get("instructions", ""))
