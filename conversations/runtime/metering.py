"""Budget subjects, cost limits and usage rows of model requests."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from agents.models import Agent, LlmUsage
from agents.runtime.meter import Meter
from agents.runtime.prices import price
from agents.services.budgets import BudgetLimit, CallSubjects
from agents.services.prices import get_tenant_price

if TYPE_CHECKING:
    from conversations.runtime.journal import Journal
    from conversations.runtime.turns import Caller

# Key in `Agent.config`: the maximum cost of one answer in US dollars, set by templates.
COST_LIMIT = "cost_limit_per_request"


def get_budget_subjects(caller: "Caller", agent: Agent) -> CallSubjects:
    """Return the subjects whose budgets limit what `agent` does for `caller`."""
    return CallSubjects(caller.tenant_id, caller.user_id, get_key_id(caller), agent.pk)


def get_key_id(caller: "Caller") -> UUID | None:
    """Return the ID of the API key that the caller uses, if any."""
    kind, _, identifier = caller.actor.partition(":")
    return UUID(identifier) if kind == "key" else None


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


def count_spent(journal: "Journal", agent: Agent) -> dict[str, Decimal]:
    """Return the tokens and the cost of the requests that earlier processes of a turn made, in the open scope."""
    spent = {"tokens": Decimal(0), "cost": Decimal(0)}
    for message in (*journal.parked, *journal.messages):
        # Messages of the history have no usage.
        usage = (message.get("usage") if message["kind"] == "response" else None) or {}
        sent, received = usage.get("input_tokens", 0), usage.get("output_tokens", 0)
        if sent or received:
            origin = message.get("metadata") or {}
            provider = origin.get("provider") or agent.model_provider
            model = origin.get("asked") or agent.model_name
            cached, own = min(usage.get("cache_read_tokens", 0), sent), get_tenant_price(provider, model)
            spent["tokens"] += sent + received
            spent["cost"] += price(provider, model, sent, received, cached, own=own).amount
    return spent


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
