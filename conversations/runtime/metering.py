"""Budget subjects and cost limits of turns."""

from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from agents.models import Agent
from agents.services.budgets import BudgetLimit, CallSubjects

if TYPE_CHECKING:
    from conversations.runtime.turns import Caller

# Key in `Agent.config`: the maximum cost of one answer in US dollars, set by templates.
COST_LIMIT = "cost_limit_per_request"


def get_budget_subjects(caller: "Caller", agent: Agent) -> CallSubjects:
    """Return the subjects whose budgets limit what `agent` does for `caller`."""
    kind, _, identifier = caller.actor.partition(":")
    return CallSubjects(
        caller.tenant_id, caller.user_id, UUID(identifier) if kind == "key" else None, agent.pk
    )


def get_cost_limits(agent: Agent) -> tuple[BudgetLimit, ...]:
    """Return the cost limit per answer from the agent's configuration, if any."""
    wanted = agent.config.get(COST_LIMIT) if isinstance(agent.config, dict) else None
    if agent.pk is None or isinstance(wanted, bool) or not isinstance(wanted, int | float | str):
        return ()
    try:
        value = Decimal(str(wanted))
    except ArithmeticError:
        return ()
    return (BudgetLimit("agent", agent.pk, "cost", "request", value),) if value.is_finite() else ()
