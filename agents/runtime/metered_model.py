"""A Pydantic AI model wrapper that enforces budgets.

It reserves before each request and settles after it. Importing this module imports Pydantic AI, which takes seconds.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from asgiref.sync import sync_to_async
from pydantic_ai import RunContext
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings

from agents.choices import RunTexts
from agents.runtime.meter import (
    BYTES_PER_TOKEN,
    MAX_COMPLETION_TOKENS,
    IntegrationPausedError,
    Meter,
    ModelCall,
    ModelRoute,
    PendingCall,
    TokenCounts,
)
from agents.runtime.prices import FREE_PROVIDERS
from agents.runtime.providers import (
    BREAKER_FAILURES,
    ProviderFailure,
    classify_error,
    status_of,
    timed_out,
)
from agents.services.budgets import BudgetExceededError
from agents.services.payloads import prepare_payload

# Fraction of its timeout that a call must have waited before a cancellation counts as the endpoint's timeout: the
# answer's overall deadline may also pass because of earlier steps.
MIN_WAIT_FRACTION = 0.5
HTTP_OK = 200


class MeteredModel(WrapperModel):
    """Model wrapper that keeps `wrapped` within the tenant's budgets.

    The response's `metadata` records the account, latency and status.

    Args:
        meter: the meter of the answer, shared by all its calls.
        route: the provider, model and account behind `wrapped`.
    """

    def __init__(self, wrapped: Model, meter: Meter, route: ModelRoute) -> None:
        super().__init__(wrapped)
        self.meter, self.route = meter, route

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        held = await self._begin(messages, model_settings, model_request_parameters)
        try:
            response = await super().request(messages, model_settings, model_request_parameters)
        except BaseException as error:
            await self._settle_failure(held, error, TokenCounts(), responded=False)
            raise
        response.metadata = {**(response.metadata or {}), **self._origin()}
        await self._settle(held, response, response.metadata)
        return response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        held = await self._begin(messages, model_settings, model_request_parameters)
        stream: StreamedResponse | None = None
        metadata: dict[str, Any] = {}
        try:
            async with super().request_stream(
                messages, model_settings, model_request_parameters, run_context
            ) as stream:
                metadata = stream.metadata = {**(stream.metadata or {}), **self._origin()}
                yield stream
        except BaseException as error:
            tokens, responded = _partial_usage(stream, messages)
            await self._settle_failure(held, error, tokens, responded=responded)
            raise
        await self._settle(held, stream.get(), metadata)

    def _origin(self) -> dict[str, Any]:
        account = self.route.integration_id
        return {
            "provider": self.route.provider,
            "asked": self.route.model,
            "integration": str(account) if account else None,
        }

    async def _begin(
        self,
        messages: list[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters,
    ) -> PendingCall:
        limited: dict[str, Any] = {**(self.wrapped.settings or {}), **(settings or {})}
        most = int(limited.get("max_tokens") or MAX_COMPLETION_TOKENS)
        held = await sync_to_async(self.meter.begin)(
            self.route, estimate_input_tokens(messages, parameters), most
        )
        if self.meter.payloads != RunTexts.NONE:
            shown = {name: value for name, value in limited.items() if isinstance(value, int | float | str)}
            held.request = await sync_to_async(self._prepare_payload)(
                messages, model=self.route.model, settings=shown
            )
        return held

    def _prepare_payload(self, messages: list[Any], **parameters: Any) -> dict[str, Any]:
        dumped = ModelMessagesTypeAdapter.dump_python(messages, mode="json")
        return prepare_payload(dumped, self.meter.payloads, **parameters)

    async def _settle(self, held: PendingCall, response: ModelResponse, metadata: dict[str, Any]) -> None:
        usage = response.usage
        status = None if self.route.provider in FREE_PROVIDERS else HTTP_OK
        tokens = TokenCounts(usage.input_tokens, usage.output_tokens, usage.cache_read_tokens)
        payload = await sync_to_async(self._prepare_payload)([response]) if held.request else None
        call = await self._end(held, tokens, responded=True, status=status, response=payload)
        metadata |= {"latency_ms": call.milliseconds, "status": status, "cached": tokens.cached}
        if payload:
            metadata["call"] = str(call.id)
        if self.route.integration and self.route.integration.failure_count:
            await sync_to_async(self.meter.recovered)(self.route)

    async def _settle_failure(
        self, held: PendingCall, error: BaseException, tokens: TokenCounts, *, responded: bool
    ) -> None:
        """Settle a failed call and record the endpoint's failure."""
        failure = self._failure(held, error)
        # An expired deadline cancels again at every await; the reservation must be released anyway.
        with anyio.CancelScope(shield=True):
            message = failure.message if failure else "The answer was cancelled."
            status = status_of(error) or (HTTP_OK if responded else None)
            await self._end(held, tokens, responded=responded, status=status, error=message)
            if failure and failure.kind != "internal" and self.route.integration:
                counts = failure.kind in BREAKER_FAILURES
                await sync_to_async(self.meter.failed)(self.route, failure.message, counts=counts)

    def _failure(self, held: PendingCall, error: BaseException) -> ProviderFailure | None:
        """Return the provider's failure, or None if the call was cancelled or refused locally."""
        if isinstance(error, GeneratorExit | BudgetExceededError | IntegrationPausedError):
            return None
        if isinstance(error, asyncio.CancelledError):
            return timed_out() if held.seconds >= MIN_WAIT_FRACTION * self.route.timeout else None
        return classify_error(error)

    async def _end(self, held: PendingCall, tokens: TokenCounts, **outcome: Any) -> ModelCall:
        counted = TokenCounts(max(tokens.sent, 0), max(tokens.received, 0), max(tokens.cached, 0))
        return await sync_to_async(self.meter.end)(self.route, held, counted, **outcome)


def _partial_usage(stream: StreamedResponse | None, messages: list[ModelMessage]) -> tuple[TokenCounts, bool]:
    """Return the usage of an interrupted stream, as reported or else estimated, and whether it sent anything."""
    response = stream.get() if stream is not None else None
    if response is None or not response.parts:
        return TokenCounts(), False
    usage = response.usage
    sent = usage.input_tokens or estimate_input_tokens(messages, ModelRequestParameters())
    received = usage.output_tokens or _estimate_tokens(ModelMessagesTypeAdapter.dump_json([response]))
    return TokenCounts(sent, received, usage.cache_read_tokens), True


def estimate_input_tokens(messages: list[ModelMessage], parameters: ModelRequestParameters) -> int:
    """Return an upper bound of the tokens in `messages`, by their size."""
    tools = [*parameters.function_tools, *parameters.output_tools]
    size = len(ModelMessagesTypeAdapter.dump_json(messages))
    size += sum(len(str(tool.parameters_json_schema)) + len(tool.description or "") for tool in tools)
    return size // BYTES_PER_TOKEN


def _estimate_tokens(data: bytes) -> int:
    return len(data) // BYTES_PER_TOKEN
