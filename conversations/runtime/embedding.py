"""Embeddings by a local embedder or by a model of a tenant's integration."""

from asgiref.sync import async_to_sync

from agents.models import Agent, LlmUsage
from agents.runtime.metering import BYTES_PER_TOKEN, Meter, Route, Tokens
from agents.runtime.providers import classify_error, openai_client, speaks_openai, status_of
from conversations.runtime.exchanges import UnknownModel, find_model
from conversations.runtime.metering import subjects_of
from conversations.runtime.turns import Caller
from conversations.runtime.wishes import WishFailed
from knowledge.chunking import count_tokens
from knowledge.embedders import get_embedder

SECONDS = 60
Vectors = tuple[list[list[float]], int]


def embed_here(name: str, texts: list[str]) -> Vectors:
    """Return vectors from a local embedder and the estimated number of tokens."""
    return get_embedder(name).embed(texts), sum(count_tokens(text) for text in texts)


def embed_by_account(name: str, texts: list[str], caller: Caller) -> Vectors:
    """Return vectors from `<integration>/<model>` and the tokens used. Call it outside any scope.

    Raises:
        UnknownModel: no such model exists, or its provider has no embeddings endpoint.
        WishFailed: the request failed, or a budget is exhausted.
    """
    with caller.scope():
        agent, account = find_model(name)
        if account is None or not speaks_openai(account.platform):
            raise UnknownModel(name)
        key = (account.credentials or {}).get("api_key")
    route = Route(agent.model_provider, agent.model_name, account, SECONDS)
    meter = Meter(caller.scope, subjects_of(caller, agent))
    try:
        held = meter.begin(route, sum(len(text.encode()) for text in texts) // BYTES_PER_TOKEN, 0)
        try:
            vectors, tokens = async_to_sync(_ask)(route, key, texts)
        except Exception as error:
            status = status_of(error)
            meter.end(route, held, Tokens(), came=False, status=status, error=classify_error(error).message)
            raise
    except Exception as error:
        failure = classify_error(error)
        _record(caller, agent, meter, failure.message)
        raise WishFailed(failure.kind, failure.message, retryable=failure.retryable) from error
    meter.end(route, held, Tokens(tokens), came=True, status=200)
    _record(caller, agent, meter, "")
    return vectors, tokens


async def _ask(route: Route, key: str | None, texts: list[str]) -> Vectors:
    address = route.integration.base_url if route.integration else ""
    async with openai_client(route.provider, address or None, key, route.timeout) as client:
        found = await client.embeddings.create(model=route.model, input=texts, encoding_format="float")
    rows = sorted(found.data, key=lambda row: row.index)
    if len(rows) != len(texts):
        raise ValueError("the endpoint returned a different number of vectors than texts")
    return [row.embedding for row in rows], found.usage.prompt_tokens


def _record(caller: Caller, agent: Agent, meter: Meter, error: str) -> None:
    named = {"provider": agent.model_provider, "model": agent.model_name[:100]}
    never = {**named, "integration_id": agent.integration_id, "error_message": error}
    calls = [call.as_columns() for call in [*meter.calls, *meter.failures]]
    with caller.scope():
        LlmUsage.objects.create(user_id=caller.user_id, **(calls[-1] if calls else never))
