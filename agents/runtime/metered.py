"""A model that reserves before each request and settles after it. Importing this imports Pydantic AI: seconds."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from asgiref.sync import sync_to_async
from pydantic_ai import RunContext
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings

from agents.runtime.metering import (
    BYTES_PER_TOKEN,
    MOST_COMPLETION_TOKENS,
    Held,
    IntegrationPaused,
    Meter,
    Route,
)
from agents.runtime.providers import classify_error
from agents.services.budgets import BudgetExceeded

# Failures that speak against the endpoint itself; a refused key or too many requests do not.
AGAINST_ENDPOINT = frozenset({"unreachable", "timeout", "server_error"})


class MeteredModel(WrapperModel):
    """`wrapped` within its tenant's budgets. The response's `metadata` says which account answered.

    Args:
        meter: what the answer may use; one for all calls of an answer.
        route: the provider, model and account behind `wrapped`.
    """

    def __init__(self, wrapped: Model, meter: Meter, route: Route) -> None:
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
            await self._end(held, 0, 0, came=False)
            await self._failed(error)
            raise
        response.metadata = {**(response.metadata or {}), **self._origin()}
        await self._settle(held, response)
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
        try:
            async with super().request_stream(
                messages, model_settings, model_request_parameters, run_context
            ) as stream:
                stream.metadata = {**(stream.metadata or {}), **self._origin()}
                yield stream
        except BaseException as error:
            await self._cut_off(held, stream, messages)
            await self._failed(error)
            raise
        await self._settle(held, stream.get())

    def _origin(self) -> dict[str, Any]:
        account = self.route.integration_id
        return {"provider": self.route.provider, "integration": str(account) if account else None}

    async def _begin(
        self,
        messages: list[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters,
    ) -> Held:
        limited = {**(self.wrapped.settings or {}), **(settings or {})}
        most = int(limited.get("max_tokens") or MOST_COMPLETION_TOKENS)
        return await sync_to_async(self.meter.begin)(self.route, sent_tokens(messages, parameters), most)

    async def _settle(self, held: Held, response: ModelResponse) -> None:
        usage = response.usage
        await self._end(held, usage.input_tokens, usage.output_tokens, came=True)
        if self.route.integration and self.route.integration.failure_count:
            await sync_to_async(self.meter.recovered)(self.route)

    async def _cut_off(
        self, held: Held, stream: StreamedResponse | None, messages: list[ModelMessage]
    ) -> None:
        """Settle a stream that broke off: by what the provider said so far, else by what came."""
        response = stream.get() if stream is not None else None
        if response is None or not response.parts:
            return await self._end(held, 0, 0, came=False)
        usage = response.usage
        sent = usage.input_tokens or sent_tokens(messages, ModelRequestParameters())
        received = usage.output_tokens or _tokens(ModelMessagesTypeAdapter.dump_json([response]))
        return await self._end(held, sent, received, came=True)

    async def _end(self, held: Held, sent: int, received: int, *, came: bool) -> None:
        await sync_to_async(self.meter.end)(self.route, held, max(sent, 0), max(received, 0), came=came)

    async def _failed(self, error: BaseException) -> None:
        if self.route.integration is None or isinstance(
            error, BudgetExceeded | IntegrationPaused | GeneratorExit
        ):
            return
        failure = classify_error(error)
        if failure.kind != "internal":
            counts = failure.kind in AGAINST_ENDPOINT
            await sync_to_async(self.meter.failed)(self.route, failure.message, counts=counts)


def sent_tokens(messages: list[ModelMessage], parameters: ModelRequestParameters) -> int:
    """What sending `messages` may cost in tokens, counted from above by their size."""
    tools = [*parameters.function_tools, *parameters.output_tools]
    size = len(ModelMessagesTypeAdapter.dump_json(messages))
    size += sum(len(str(tool.parameters_json_schema)) + len(tool.description or "") for tool in tools)
    return size // BYTES_PER_TOKEN


def _tokens(data: bytes) -> int:
    return len(data) // BYTES_PER_TOKEN
