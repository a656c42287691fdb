"""Options of a single answer, stored in its metadata so that any process that resumes its turn applies them."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from agents.models import Agent
from agents.services.budgets import BudgetLimit
from conversations.models import Message
from conversations.runtime.structured_output import OUTPUT_SCHEMA

# Key of the answer's metadata.
OPTIONS = "options"


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """Limits and format of an answer, within those of its agent; None sets no further limit.

    Attributes:
        output_schema: JSON Schema of the answer, instead of that of the agent.
        max_turns: maximum number of requests to the model.
        tokens: maximum number of tokens.
        cost: maximum cost in US dollars, as a decimal number.
    """

    output_schema: dict[str, Any] | None = None
    max_turns: int | None = None
    tokens: int | None = None
    cost: str | None = None

    def render(self) -> dict[str, Any]:
        """Return the options as metadata of the answer."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {OPTIONS: {name: value for name, value in values.items() if value is not None}}


def get_answer_options(answer: Message) -> AnswerOptions:
    """Return the options stored with the answer."""
    stored = answer.metadata.get(OPTIONS)
    return AnswerOptions(**stored) if stored else AnswerOptions()


def apply_answer_options(agent: Agent, options: AnswerOptions) -> tuple[BudgetLimit, ...]:
    """Apply the options to the agent of a turn, which is not saved, and return its budget."""
    if options.output_schema is not None:
        config = agent.config if isinstance(agent.config, dict) else {}
        agent.config = {**config, OUTPUT_SCHEMA: options.output_schema}
    if options.max_turns is not None:
        agent.max_iterations = min(agent.max_iterations, options.max_turns)
    amounts = {"tokens": options.tokens, "cost": options.cost}
    return tuple(
        BudgetLimit("agent", agent.pk, resource, "request", Decimal(amount))
        for resource, amount in amounts.items()
        if amount is not None
    )
