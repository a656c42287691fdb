"""Meters and budget subjects of turns."""

from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from agents.models import Agent
from agents.runtime.metering import Meter
from agents.services.budgets import Limit, Subjects

if TYPE_CHECKING:
    from conversations.runtime.turns import Caller, Turn

# Key in `Agent.config`: the maximum cost of one answer in US dollars, set by templates.
COST_LIMIT = "cost_limit_per_request"


def meter_of(turn: "Turn") -> Meter:
    """Return the turn's meter, creating it if needed."""
    meter: Meter | None = getattr(turn, "meter", None)
    if meter is None:
        subjects = subjects_of(turn.caller, turn.agent)
        meter = Meter(turn.caller.scope, subjects, further=cost_limit(turn.agent), rest=turn.between)
    return meter


def subjects_of(caller: "Caller", agent: Agent) -> Subjects:
    """Return the subjects whose budgets limit what `agent` does for `caller`."""
    kind, _, identifier = caller.actor.partition(":")
    return Subjects(caller.tenant_id, caller.user_id, UUID(identifier) if kind == "key" else None, agent.pk)


def cost_limit(agent: Agent) -> tuple[Limit, ...]:
    """Return the cost limit per answer from the agent's configuration, if any."""
    wanted = agent.config.get(COST_LIMIT) if isinstance(agent.config, dict) else None
    if agent.pk is None or isinstance(wanted, bool) or not isinstance(wanted, int | float | str):
        return ()
    try:
        value = Decimal(str(wanted))
    except ArithmeticError:
        return ()
    return (Limit("agent", agent.pk, "cost", "request", value),) if value.is_finite() else ()
