"""Budget subjects, cost limits and usage rows of model requests."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from agents.models import Agent, LlmUsage
from agents.runtime.meter import Meter
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


def build_usage_rows(
    meter: Meter, agent: Agent, error: str, *, latency_ms: int | None = None, **owner: Any
) -> list[LlmUsage]:
    """Return a usage row for each request to a model, or one for an error before any request.

    Args:
        error: why the result was not used; stored with requests that succeeded, unless others failed.
        owner: columns that name the tenant, the user and what the requests were for.
    """
    rows = [
        LlmUsage(**owner, agent_id=agent.pk, **call.as_columns()) for call in [*meter.failures, *meter.calls]
    ]
    if error and not meter.failures:
        for row in rows:
            row.error_message = error
    if rows or not error:
        return rows
    columns = {"provider": agent.model_provider, "model": agent.model_name[:100], "latency_ms": latency_ms}
    failed = {"integration_id": agent.integration_id, "error_message": error}
    return [LlmUsage(**owner, agent_id=agent.pk, **columns, **failed)]
