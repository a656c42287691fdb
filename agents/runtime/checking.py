"""Whether an account at a provider can be used: its models are listed, which needs address and key to be right."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urljoin, urlsplit
from uuid import UUID

from asgiref.sync import async_to_sync

from agents.models import Integration
from agents.runtime.providers import (
    ADDRESSES,
    ANTHROPIC_ADDRESS,
    NO_KEY,
    classify_error,
    google_provider,
    http_client,
    openai_client,
    speaks_openai,
)
from agents.runtime.providers import anthropic_client as anthropic_client_of
from agents.services.integrations import note_failure, note_offer

SECONDS = 10
# Where providers list their models beside the address that speaks OpenAI's protocol, from the root of their host,
# and the name of the list and of each model's name in it.
LISTS = {"cohere": ("/v1/models", "models", "name"), "perplexity": ("/v1/models", "data", "id")}
# Searches of the web offer no models: what tells of the account costs no search. How the key is sent differs.
SEARCHES = {"tavily": "https://api.tavily.com/usage", "serpapi": "https://serpapi.com/account.json"}


def check_connection(integration_id: UUID, scope: Callable[[], AbstractContextManager[Any]]) -> Integration:
    """Ask the account's endpoint for its models and record how that ended; outside every scope.

    Args:
        scope: opens a short scope of the account's tenant.

    Returns:
        The account with its new state.

    Raises:
        Integration.DoesNotExist: when the tenant has no such account.
    """
    with scope():
        account = Integration.objects.get(pk=integration_id)
        key = (account.credentials or {}).get("api_key")
    try:
        names = async_to_sync(offered_models)(account.platform, account.base_url or None, key)
    except Exception as error:  # noqa: BLE001 (whatever went wrong is what the check is to say)
        failure = classify_error(error)
        with scope():
            note_failure(account.pk, failure.message, counts=False)
    else:
        with scope():
            note_offer(account.pk, names)
    with scope():
        return Integration.objects.get(pk=account.pk)


async def offered_models(provider: str, base_url: str | None, key: str | None) -> list[str]:
    """The names of the models that the endpoint offers.

    Raises:
        Exception: of the provider's library; `classify_error` says what it means.
    """
    if provider in LISTS:
        return await _listed(provider, base_url, key)
    if speaks_openai(provider):
        async with openai_client(provider, base_url, key, SECONDS) as openai:
            return [str(model.id) async for model in openai.models.list()]
    if provider == "anthropic":
        async with anthropic_client_of(base_url or ANTHROPIC_ADDRESS, key, SECONDS) as anthropic:
            return [str(model.id) async for model in anthropic.models.list()]
    if provider == "google":
        pager = await google_provider(base_url, key, SECONDS).client.aio.models.list()
        return [str(model.name).removeprefix("models/") async for model in pager]
    if provider == "extractive":
        return ["extractive-1"]
    return await _searched(provider, base_url, key)


async def _listed(provider: str, base_url: str | None, key: str | None) -> list[str]:
    """Of a provider whose own list stands elsewhere than its answers in OpenAI's words."""
    path, rows, name = LISTS[provider]
    found = await _asked(urljoin(base_url or ADDRESSES[provider], path), key)
    return [str(row[name]) for row in found[rows]]


async def _searched(provider: str, base_url: str | None, key: str | None) -> list[str]:
    """Nothing, when the account at a service that searches the web is in order."""
    where = SEARCHES[provider]
    if base_url:
        where = urljoin(base_url, urlsplit(where).path)
    await _asked(where, key, in_query=provider == "serpapi")
    return []


async def _asked(url: str, key: str | None, *, in_query: bool = False) -> Any:
    parameters = {"api_key": key or ""} if in_query else None
    headers = {} if in_query else {"Authorization": f"Bearer {key or NO_KEY}"}
    async with http_client(SECONDS) as client:
        response = await client.get(url, headers=headers, params=parameters)
    if not response.is_success:
        raise EndpointRefused(response.status_code)
    return response.json()


class EndpointRefused(Exception):
    """An endpoint answered with another status than success."""

    def __init__(self, status_code: int) -> None:
        super().__init__(f"status {status_code}")
        self.status_code = status_code
