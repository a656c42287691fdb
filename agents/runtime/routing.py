"""Model routing: the agent's model within its budgets, then its fallback models.

Importing this module imports Pydantic AI, which takes seconds.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from asgiref.sync import sync_to_async
from pydantic_ai import RunContext
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings

from agents.models import Agent, AgentFallback
from agents.runtime.meter import Meter, ModelRoute
from agents.runtime.metered_model import MeteredModel
from agents.runtime.providers import build_model, classify_error


class NoFallbackError(LookupError):
    """Raised when the agent has no fallback model."""


def build_agent_model(agent: Agent, api_key: str | None, meter: Meter) -> Model:
    """Return the model that answers for `agent`, which may be unsaved.

    With fallback models (see `meter.prepare`), the time for an answer is divided equally among all models.

    Raises:
        ValueError: if the provider is unknown or has no base URL.
    """
    terms = meter.terms.get((agent.model_provider, agent.model_name))
    parts = 1 + terms.fallback_count if terms else 1
    route = ModelRoute(agent.model_provider, agent.model_name, agent.integration, agent.timeout / parts)
    first = _build_metered_model(route, api_key, meter, alone=parts == 1)
    if agent.pk is None:
        return first
    return FallbackModel(
        first, _LazyFallbackModel(first, agent, meter, route.timeout), fallback_on=should_fall_back
    )


def should_fall_back(error: Exception) -> bool:
    """Return whether another model may succeed after this error."""
    # `NoFallbackError` is included so that the exception group still contains the error of the agent's own model.
    return isinstance(error, NoFallbackError) or classify_error(error).retryable


def _build_metered_model(
    route: ModelRoute, api_key: str | None, meter: Meter, *, alone: bool = False
) -> Model:
    address = route.integration.base_url if route.integration else ""
    model = build_model(
        route.provider,
        route.model,
        base_url=address or None,
        api_key=api_key,
        timeout=route.timeout,
        deadline=None if alone else route.timeout,
    )
    return MeteredModel(model, meter, route)


class _LazyFallbackModel(WrapperModel):
    """The agent's fallback models, loaded when first needed."""

    def __init__(self, first: Model, agent: Agent, meter: Meter, seconds: float) -> None:
        super().__init__(first)
        self.agent, self.meter, self.seconds = agent, meter, seconds

    def _start_request_deadline(self, *_: Any, **__: Any) -> None:
        """Set no deadline; each fallback model has one."""

    async def _chain(self) -> Model:
        models = await sync_to_async(self._load)()
        if not models:
            raise NoFallbackError("the agent has no fallback model")
        return FallbackModel(*models, fallback_on=should_fall_back)

    def _load(self) -> list[Model]:
        with self.meter.scope():
            rows = list(AgentFallback.objects.filter(agent_id=self.agent.pk).select_related("integration"))
            keys = [
                (row.integration.credentials or {}).get("api_key") if row.integration else None
                for row in rows
            ]
        return [
            _build_metered_model(
                ModelRoute(row.model_provider, row.model_name, row.integration, self.seconds),
                key,
                self.meter,
            )
            for row, key in zip(rows, keys, strict=True)
            if row.integration is None or row.integration.platform == row.model_provider
        ]

    def prepare_messages(
        self, messages: list[ModelMessage], model_request_parameters: ModelRequestParameters | None = None
    ) -> list[ModelMessage]:
        """Return the messages unchanged; each fallback model prepares them."""
        return messages

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        chain = await self._chain()
        return await chain.request(messages, model_settings, model_request_parameters)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        # Not a nested FallbackModel: the outer one reads the first event, which can be read only once.
        async with AsyncExitStack() as stack:
            yield await self._open_stream(
                stack, messages, model_settings, model_request_parameters, run_context
            )

    async def _open_stream(self, stack: AsyncExitStack, *request: Any) -> StreamedResponse:
        """Return the stream of the first fallback model that opens one."""
        models = await sync_to_async(self._load)()
        for model in models[:-1]:
            try:
                async with asyncio.timeout(self.seconds):
                    return await stack.enter_async_context(model.request_stream(*request))
            except Exception as error:
                if not should_fall_back(error):
                    raise
        if not models:
            raise NoFallbackError("the agent has no fallback model")
        return await stack.enter_async_context(models[-1].request_stream(*request))
