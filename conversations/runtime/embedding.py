"""Vectors of texts for clients: by an embedder of this machine, or a model of one of the tenant's accounts."""

from asgiref.sync import async_to_sync

from agents.models import Agent, LlmUsage
from agents.runtime.metering import BYTES_PER_TOKEN, Meter, Route
from agents.runtime.providers import classify_error, openai_client, speaks_openai
from conversations.runtime.exchanges import UnknownModel, find_model
from conversations.runtime.metering import subjects_of
from conversations.runtime.turns import Caller
from conversations.runtime.wishes import WishFailed
from knowledge.chunking import count_tokens
from knowledge.embedders import get_embedder

SECONDS = 60
Vectors = tuple[list[list[float]], int]


def embed_here(name: str, texts: list[str]) -> Vectors:
    """Vectors by an embedder of this machine, and an estimate of the tokens."""
    return get_embedder(name).embed(texts), sum(count_tokens(text) for text in texts)


def embed_by_account(name: str, texts: list[str], caller: Caller) -> Vectors:
    """Vectors by `<integration>/<model>`, and the tokens it counted; outside every scope.

    Raises:
        UnknownModel: when there is none that makes vectors.
        WishFailed: when the endpoint, or a budget, does not give them.
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
        except Exception:
            meter.end(route, held, 0, 0, came=False)
            raise
    except Exception as error:
        failure = classify_error(error)
        _record(caller, agent, meter, failure.message)
        raise WishFailed(failure.kind, failure.message, retryable=failure.retryable) from error
    meter.end(route, held, tokens, 0, came=True)
    _record(caller, agent, meter, "")
    return vectors, tokens


async def _ask(route: Route, key: str | None, texts: list[str]) -> Vectors:
    address = route.integration.base_url if route.integration else ""
    async with openai_client(route.provider, address or None, key, route.timeout) as client:
        found = await client.embeddings.create(model=route.model, input=texts, encoding_format="float")
    rows = sorted(found.data, key=lambda row: row.index)
    if len(rows) != len(texts):
        raise ValueError("the endpoint gave another number of vectors than of texts")
    return [row.embedding for row in rows], found.usage.prompt_tokens


def _record(caller: Caller, agent: Agent, meter: Meter, error: str) -> None:
    call = meter.calls[-1] if meter.calls else None
    with caller.scope():
        LlmUsage.objects.create(
            user_id=caller.user_id,
            integration_id=agent.integration_id,
            provider=agent.model_provider,
            model=agent.model_name[:100],
            prompt_tokens=call.input_tokens if call else 0,
            prompt_cost=call.cost if call else 0,
            cost_known=call.input_price.known if call else True,
            error_message=error,
        )
