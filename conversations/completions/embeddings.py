"""Embeddings by a local embedder or by a model of a tenant's integration."""

import hashlib
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from django.utils import timezone

from agents.choices import UsageFeature
from agents.models import Agent, LlmUsage
from agents.runtime.event_loop import run_in_event_loop
from agents.runtime.meter import BYTES_PER_TOKEN, Meter, ModelRoute, TokenCounts
from agents.runtime.providers import classify_error, is_openai_compatible, openai_client, status_of
from config.db.connections import release_connections
from conversations.completions.turns import UnknownModelError, resolve_model
from conversations.completions.types import CompletionError
from conversations.runtime.metering import get_budget_subjects, get_key_id
from conversations.runtime.turns import Caller, get_api_key
from knowledge.chunking import count_tokens
from knowledge.embedders import get_embedder
from tenants.choices import MetricType
from tenants.models import MeterEvent

TIMEOUT_SECONDS = 60
EmbeddingResult = tuple[list[list[float]], int]


# Encoding of token arrays: that of OpenAI's embedding models, which clients also use for unknown models.
ENCODING = "cl100k_base"
ENCODING_URL = f"https://openaipublic.blob.core.windows.net/encodings/{ENCODING}.tiktoken"
CACHE_VARIABLE = "TIKTOKEN_CACHE_DIR"


class TokensError(ValueError):
    """Token arrays cannot be decoded; the message is shown to users."""


def decode_tokens(inputs: Sequence[str | list[int]]) -> list[str]:
    """Return the texts, with token arrays decoded.

    Raises:
        TokensError: the tokenizer's data is not installed, or a token does not exist.
    """
    if all(isinstance(each, str) for each in inputs):
        return [each for each in inputs if isinstance(each, str)]
    encoding = _load_encoding()
    try:
        return [each if isinstance(each, str) else encoding.decode(each) for each in inputs]
    except (KeyError, OverflowError):
        raise TokensError(f"A token does not exist in the encoding {ENCODING}. Send texts.") from None


@cache
def _load_encoding() -> Any:
    """Load the encoding from `TIKTOKEN_CACHE_DIR`; a missing file is not downloaded."""
    import tiktoken

    # The library names cached files by the hash of their URL and downloads missing ones.
    name = hashlib.sha1(ENCODING_URL.encode(), usedforsecurity=False).hexdigest()
    folder = os.environ.get(CACHE_VARIABLE, "")
    if not folder or not Path(folder, name).is_file():
        raise TokensError(
            "This model has no tokenizer for token arrays. Send texts, or install the tokenizer in "
            f"{CACHE_VARIABLE}."
        )
    return tiktoken.get_encoding(ENCODING)


def embed_locally(name: str, texts: list[str]) -> EmbeddingResult:
    """Return vectors from a local embedder and the estimated number of tokens."""
    return get_embedder(name).embed(texts), sum(count_tokens(text) for text in texts)


def embed_with_integration(name: str, texts: Sequence[str | list[int]], caller: Caller) -> EmbeddingResult:
    """Return vectors from `<integration>/<model>` and the tokens used. Call it outside any scope.

    Token arrays are passed on, since their meaning depends on the model.

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
        reservation = meter.begin(route, sum(_estimate_tokens(text) for text in texts), 0)
        release_connections()
        try:
            vectors, tokens = run_in_event_loop(_request_embeddings, route, key, texts)
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


def meter_embeddings(caller: Caller, model: str, count: int) -> None:
    """Record that vectors of texts were computed. Call it outside any scope."""
    with caller.scope():
        MeterEvent.objects.create(
            metric_type=MetricType.EMBEDDINGS,
            quantity=count,
            events=count,
            occurred_at=timezone.now(),
            user_id=caller.user_id,
            key_id=get_key_id(caller),
            model=model[:100],
            service="embeddings",
        )


def _estimate_tokens(text: str | list[int]) -> int:
    return len(text.encode()) // BYTES_PER_TOKEN if isinstance(text, str) else len(text)


async def _request_embeddings(
    route: ModelRoute, key: str | None, texts: Sequence[str | list[int]]
) -> EmbeddingResult:
    given: Any = list(texts)
    address = route.integration.base_url if route.integration else ""
    async with openai_client(route.provider, address or None, key, route.timeout) as client:
        response = await client.embeddings.create(model=route.model, input=given, encoding_format="float")
    rows = sorted(response.data, key=lambda row: row.index)
    if len(rows) != len(texts):
        raise ValueError("the endpoint returned a different number of vectors than texts")
    return [row.embedding for row in rows], response.usage.prompt_tokens


def _store_usage(caller: Caller, agent: Agent, meter: Meter, error: str) -> None:
    named = {"provider": agent.model_provider, "model": agent.model_name[:100]}
    failure_columns = {**named, "integration_id": agent.integration_id, "error_message": error}
    calls = [call.as_columns() for call in [*meter.calls, *meter.failures]]
    with caller.scope():
        LlmUsage.objects.create(
            user_id=caller.user_id,
            feature_context=UsageFeature.EMBEDDINGS,
            **(calls[-1] if calls else failure_columns),
        )
