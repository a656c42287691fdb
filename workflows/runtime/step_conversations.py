"""Conversations of steps: one for each attempt, found by an ID that follows from the attempt.

A repeated body finds the conversation of the process that died, and continues its turn or meeting.
"""

from datetime import timedelta
from typing import Any

from agents.models import Agent, AgentVersion
from conversations.runtime.turns import Caller
from conversations.services.conversations import find_agent, is_active
from workflows.runtime.step_bodies import StepContext, StepError
from workflows.services.waiting_steps import StepLink

# Waiting steps look for their conversation again after this time, because people may delete it.
LOOK_AGAIN = timedelta(hours=1)
# The error of a step that exceeds the limit of the plan, and the seconds until the next attempt.
LIMIT_CODE, LIMIT_SECONDS = "limit_exceeded", 10
LIMIT_MESSAGE = "The organisation has too many runs of agents in progress."


def get_link(context: StepContext) -> StepLink:
    """Return the link of the attempt."""
    ids = context.execution_id, context.step_execution_id
    return StepLink(*ids, context.step_id, context.item, context.attempt)


def get_caller(context: StepContext) -> Caller:
    """Return the caller of turns that a step runs."""
    return Caller(context.tenant_id, context.user_id, context.actor, context.engagement_id)


def require_agent(name: Any) -> Agent:
    """Return the scope's active agent with this slug or ID.

    Raises:
        StepError: the agent does not exist or is not active.
    """
    agent = find_agent(name) if isinstance(name, str) else None
    if agent is None or not is_active(agent):
        raise StepError(
            "agent_not_found", f"The agent {name} does not exist or is not active.", retryable=False
        )
    return agent


def find_version(agent: Agent, number: Any) -> AgentVersion | None:
    """Return the published version with this number, or None for the latest one.

    Raises:
        StepError: the agent has no such version.
    """
    if number in (None, "latest"):
        return None
    is_number = isinstance(number, int) and not isinstance(number, bool)
    version = AgentVersion.objects.filter(agent=agent, version=number).first() if is_number else None
    if version is None:
        message = f"The agent {agent.slug} has no version {number}."
        raise StepError("agent_version_not_found", message, retryable=False)
    return version
