"""Metering of model calls: reservations, usage and cost of one answer.

Does not import a model library, so importing it is cheap.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from agents.choices import RunTexts
from agents.models import Integration
from agents.runtime.prices import CallPrice, price
from agents.services.budgets import (
    ZERO,
    BudgetExceededError,
    BudgetLimit,
    CallSubjects,
    CallTerms,
    Reservation,
    load_call_terms,
    publish_refusal,
    reserve_budget,
    settle_reservation,
)
from agents.services.integrations import FAILURE_THRESHOLD, may_call, record_failure, record_success
from config.db.ids import uuid7
from config.observability import metrics

# Conservative estimate before the provider reports usage; almost all text has more bytes per token.
BYTES_PER_TOKEN = 2
# Added to a reservation's lifetime for the waits between attempts and for settling.
RESERVATION_MARGIN_SECONDS = 60
# Reserved for a call without `max_tokens`.
MAX_COMPLETION_TOKENS = 4096


class IntegrationPausedError(ConnectionError):
    """Raised when the account's circuit breaker is open after repeated failures."""


@dataclass(frozen=True, slots=True)
class ModelRoute:
    """A model, its provider, and the account used for it."""

    provider: str
    model: str
    integration: Integration | None = None
    timeout: float = 60

    @property
    def key(self) -> tuple[str, str]:
        return self.provider, self.model

    @property
    def integration_id(self) -> UUID | None:
        return self.integration.pk if self.integration else None


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Token counts of a call; `cached` is the part of `sent` read from the provider's cache."""

    sent: int = 0
    received: int = 0
    cached: int = 0


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A finished call: its usage, cost and result."""

    route: ModelRoute
    input_tokens: int
    output_tokens: int
    price: CallPrice
    milliseconds: int = 0
    status: int | None = None
    error: str = ""
    # Payloads, if the organisation stores them.
    request: dict[str, Any] | None = None
    response: dict[str, Any] | None = None
    id: UUID = field(default_factory=uuid7)

    @property
    def cost(self) -> Decimal:
        return self.price.amount

    def as_columns(self) -> dict[str, Any]:
        """Return the call as columns of `LlmUsage`."""
        return {
            "provider": self.route.provider,
            "model": self.route.model[:100],
            "integration_id": self.route.integration_id,
            "prompt_tokens": self.input_tokens,
            "completion_tokens": self.output_tokens,
            "prompt_cost": self.price.sent,
            "completion_cost": self.price.received,
            "cost_known": self.price.known,
            "latency_ms": self.milliseconds,
            "status_code": self.status,
            "error_message": self.error,
            "request_payload": self.request,
            "response_payload": self.response,
        }


@dataclass(slots=True)
class PendingCall:
    """A call in progress and its reservation."""

    terms: CallTerms
    reservation: Reservation | None
    request: dict[str, Any] | None = None
    began: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """Seconds since the call began."""
        return time.perf_counter() - self.began


@dataclass(slots=True)
class Meter:
    """Limits and usage of one answer.

    Its methods open short scopes, so call them outside transactions. Passing `terms` saves the query for them; without
    limits, no query runs.
    """

    scope: Callable[[], AbstractContextManager[Any]]
    subjects: CallSubjects
    terms: dict[tuple[str, str], CallTerms] = field(default_factory=dict)
    further: tuple[BudgetLimit, ...] = ()
    spent: dict[str, Decimal] = field(default_factory=dict)
    calls: list[ModelCall] = field(default_factory=list)
    # Failed or interrupted calls; the calls of fallback models that answered instead are in `calls`.
    failures: list[ModelCall] = field(default_factory=list)
    # How the organisation stores the payloads of calls.
    payloads: str = RunTexts.NONE
    # Called before waiting for the model, to release resources such as a database connection.
    rest: Callable[[], None] | None = None

    def prepare(self, provider: str, model: str) -> CallTerms:
        """Return the terms of calls to the model, loaded once."""
        if (provider, model) not in self.terms:
            with self.scope():
                self.terms[provider, model] = load_call_terms(self.subjects, provider, model)
        return self.terms[provider, model]

    def begin(self, route: ModelRoute, input_tokens: int, output_tokens: int) -> PendingCall:
        """Reserve the maximum a call may use.

        Raises:
            BudgetExceededError: if a limit would be exceeded.
            IntegrationPausedError: if the account's circuit breaker is open.
        """
        terms, weak = self.terms.get(route.key), route.integration and route.integration.failure_count
        limits = (*terms.limits, *self.further) if terms else ()
        if terms is not None and not limits and not (weak and weak >= FAILURE_THRESHOLD):
            return PendingCall(terms, None)
        try:
            return self._pending_call(route, input_tokens, output_tokens)
        except BudgetExceededError as error:
            metrics.record_budget_denial()
            if error.limit:
                with self.scope():
                    publish_refusal(error.limit)
            raise
        finally:
            if self.rest:
                self.rest()

    def _pending_call(self, route: ModelRoute, input_tokens: int, output_tokens: int) -> PendingCall:
        terms, weak = self.terms.get(route.key), route.integration and route.integration.failure_count
        with self.scope():
            if (
                weak
                and weak >= FAILURE_THRESHOLD
                and route.integration
                and not may_call(route.integration.pk)
            ):
                raise IntegrationPausedError("calls to this account are paused after repeated failures")
            if terms is None:
                terms = self.terms[route.key] = load_call_terms(self.subjects, *route.key)
            limits = (*terms.limits, *self.further)
            amounts = self._amounts(terms, route, input_tokens, output_tokens, limits)
            seconds = 3 * route.timeout + RESERVATION_MARGIN_SECONDS
            return PendingCall(terms, reserve_budget(limits, amounts, spent=self.spent, seconds=seconds))

    def _amounts(
        self,
        terms: CallTerms,
        route: ModelRoute,
        input_tokens: int,
        output_tokens: int,
        limits: tuple[BudgetLimit, ...],
    ) -> dict[str, Decimal]:
        cost = self.price(terms, route, input_tokens, output_tokens)
        if not cost.known and any(limit.resource == "cost" for limit in limits):
            # A cost limit cannot be enforced without a price.
            raise BudgetExceededError(
                f"A cost budget applies, but the model {route.model} has no known price. Set a price for it."
            )
        asked = ZERO if self.spent.get("requests") else Decimal(1)
        return {"tokens": Decimal(input_tokens + output_tokens), "cost": cost.amount, "requests": asked}

    def end(
        self,
        route: ModelRoute,
        held: PendingCall,
        tokens: TokenCounts,
        *,
        responded: bool,
        status: int | None = None,
        error: str = "",
        response: dict[str, Any] | None = None,
    ) -> ModelCall:
        """Settle a call; one without any response (`responded` false) costs nothing.

        Args:
            status: the provider's HTTP status, if any.
            error: user-facing reason if the call failed or was interrupted.
            response: the response as the organisation stores it.
        """
        cost = self.price(held.terms, route, tokens.sent, tokens.received, tokens.cached)
        if not responded:
            cost = CallPrice(ZERO, cost.known)
        used = {"tokens": Decimal(tokens.sent + tokens.received), "cost": cost.amount}
        used["requests"] = Decimal(1) if responded and not self.spent.get("requests") else ZERO
        payloads, ended = (held.request, response), int(held.seconds * 1000)
        call = ModelCall(route, tokens.sent, tokens.received, cost, ended, status, error, *payloads)
        (self.failures if error else self.calls).append(call)
        for resource, amount in used.items():
            self.spent[resource] = self.spent.get(resource, ZERO) + amount
        if held.reservation is not None:
            with self.scope():
                settle_reservation(held.reservation, used)
        counts = {"sent": tokens.sent, "received": tokens.received}
        metrics.record_model_call(route.provider, responded=responded, seconds=held.seconds, **counts)
        return call

    @staticmethod
    def price(
        terms: CallTerms, route: ModelRoute, input_tokens: int, output_tokens: int, cached_tokens: int = 0
    ) -> CallPrice:
        """Return the cost of a call by the tenant's price, else the list price."""
        cached = min(cached_tokens, input_tokens)
        return price(route.provider, route.model, input_tokens, output_tokens, cached, own=terms.price)

    def failed(self, route: ModelRoute, message: str, *, counts: bool) -> None:
        """Record a failure of the account's endpoint."""
        if route.integration_id:
            with self.scope():
                record_failure(route.integration_id, message, counts=counts)

    def recovered(self, route: ModelRoute) -> None:
        """Record that a failing account answers again."""
        if route.integration and route.integration.failure_count:
            route.integration.failure_count = 0
            with self.scope():
                record_success(route.integration.pk)
