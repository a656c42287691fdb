"""Embeddings by a local embedder or by a model of a tenant's integration."""

from asgiref.sync import async_to_sync

from agents.models import Agent, LlmUsage
from agents.runtime.meter import BYTES_PER_TOKEN, Meter, ModelRoute, TokenCounts
from agents.runtime.providers import classify_error, is_openai_compatible, openai_client, status_of
from config.db.connections import release_connections
from conversations.completions.turns import UnknownModelError, resolve_model
from conversations.completions.types import CompletionError
from conversations.runtime.metering import get_budget_subjects
from conversations.runtime.turns import Caller, get_api_key
from knowledge.chunking import count_tokens
from knowledge.embedders import get_embedder

TIMEOUT_SECONDS = 60
EmbeddingResult = tuple[list[list[float]], int]


def embed_locally(name: str, texts: list[str]) -> EmbeddingResult:
    """Return vectors from a local embedder and the estimated number of tokens."""
    return get_embedder(name).embed(texts), sum(count_tokens(text) for text in texts)


def embed_with_integration(name: str, texts: list[str], caller: Caller) -> EmbeddingResult:
    """Return vectors from `<integration>/<model>` and the tokens used. Call it outside any scope.

    Raises:
        UnknownModelError: no such model exists, or its provider has no embeddings endpoint.
        CompletionError: the request failed, or a budget is exhausted.
    """
    with caller.scope():
        agent, account = resolve_model(name)
        if account is None or not is_openai_compatible(account.platform):
            raise UnknownModelError(name)
        key = get_api_key(account)
    route = ModelRoute(agent.model_provider, agent.model_name, account, TIMEOUT_SECONDS)
    meter = Meter(caller.scope, get_budget_subjects(caller, agent))
    try:
        reservation = meter.begin(route, sum(len(text.encode()) for text in texts) // BYTES_PER_TOKEN, 0)
        release_connections()
        try:
            vectors, tokens = async_to_sync(_request_embeddings)(route, key, texts)
        except Exception as error:
            status = status_of(error)
            meter.end(
                route,
                reservation,
                TokenCounts(),
                responded=False,
                status=status,
                error=classify_error(error).message,
            )
            raise
    except Exception as error:
        failure = classify_error(error)
        _store_usage(caller, agent, meter, failure.message)
        raise CompletionError(failure.kind, failure.message, retryable=failure.retryable) from error
    meter.end(route, reservation, TokenCounts(tokens), responded=True, status=200)
    _store_usage(caller, agent, meter, "")
    return vectors, tokens


async def _request_embeddings(route: ModelRoute, key: str | None, texts: list[str]) -> EmbeddingResult:
    address = route.integration.base_url if route.integration else ""
    async with openai_client(route.provider, address or None, key, route.timeout) as client:
        response = await client.embeddings.create(model=route.model, input=texts, encoding_format="float")
    rows = sorted(response.data, key=lambda row: row.index)
    if len(rows) != len(texts):
        raise ValueError("the endpoint returned a different number of vectors than texts")
    return [row.embedding for row in rows], response.usage.prompt_tokens


def _store_usage(caller: Caller, agent: Agent, meter: Meter, error: str) -> None:
    named = {"provider": agent.model_provider, "model": agent.model_name[:100]}
    failure_columns = {**named, "integration_id": agent.integration_id, "error_message": error}
    calls = [call.as_columns() for call in [*meter.calls, *meter.failures]]
    with caller.scope():
        LlmUsage.objects.create(user_id=caller.user_id, **(calls[-1] if calls else failure_columns))
