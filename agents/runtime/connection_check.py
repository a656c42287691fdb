"""Connection checks of provider accounts, made by listing their models."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urljoin, urlsplit
from uuid import UUID

from asgiref.sync import async_to_sync

from agents.choices import HTTP_SERVICE
from agents.models import Integration
from agents.runtime.providers import (
    ANTHROPIC_BASE_URL,
    BASE_URLS,
    NO_KEY,
    classify_error,
    google_provider,
    http_client,
    is_openai_compatible,
    openai_client,
)
from agents.runtime.providers import anthropic_client as anthropic_client_of
from agents.services.http_accounts import build_credential_headers
from agents.services.integrations import record_failure, record_models
from config.db.connections import release_connections
from config.http.requests import OutgoingRequest, send_request

TIMEOUT_SECONDS = 10
# Status codes that say that an HTTP service does not accept the credentials.
REFUSALS, SERVER_ERROR = frozenset({401, 403, 407}), 500
MAX_CHECKED_BYTES = 2 * 1024 * 1024
# Providers whose model list is not part of their OpenAI-compatible API: path from the host's root, member that
# holds the list, member that holds a model's name.
MODEL_LISTS = {"cohere": ("/v1/models", "models", "name"), "perplexity": ("/v1/models", "data", "id")}
# Web search providers have no models; these account endpoints check the key without using up a search.
ACCOUNT_URLS = {"tavily": "https://api.tavily.com/usage", "serpapi": "https://serpapi.com/account.json"}


def check_connection(integration_id: UUID, scope: Callable[[], AbstractContextManager[Any]]) -> Integration:
    """Check an account's connection and record the result. Call it outside any scope.

    Args:
        scope: opens a short scope of the account's tenant.

    Returns:
        The account with its new state.

    Raises:
        Integration.DoesNotExist: if the tenant has no such account.
    """
    with scope():
        account = Integration.objects.get(pk=integration_id)
        credentials: Any = account.credentials or {}
    release_connections()
    try:
        if account.platform == HTTP_SERVICE:
            async_to_sync(_check_http_account)(account.base_url, build_credential_headers(credentials))
            names = []
        else:
            key = credentials.get("api_key")
            names = async_to_sync(offered_models)(account.platform, account.base_url or None, key)
    except Exception as error:  # noqa: BLE001 (the check reports any failure)
        failure = classify_error(error)
        with scope():
            record_failure(account.pk, failure.message, counts=False)
    else:
        with scope():
            record_models(account.pk, names)
    with scope():
        return Integration.objects.get(pk=account.pk)


async def offered_models(provider: str, base_url: str | None, key: str | None) -> list[str]:
    """Return the names of the models that the endpoint offers.

    Raises:
        Exception: any error of the provider's library; pass it to `classify_error`.
    """
    if provider in MODEL_LISTS:
        return await _list_models_at(provider, base_url, key)
    if is_openai_compatible(provider):
        async with openai_client(provider, base_url, key, TIMEOUT_SECONDS) as openai:
            return [str(model.id) async for model in openai.models.list()]
    if provider == "anthropic":
        async with anthropic_client_of(base_url or ANTHROPIC_BASE_URL, key, TIMEOUT_SECONDS) as anthropic:
            return [str(model.id) async for model in anthropic.models.list()]
    if provider == "google":
        pager = await google_provider(base_url, key, TIMEOUT_SECONDS).client.aio.models.list()
        return [str(model.name).removeprefix("models/") async for model in pager]
    if provider == "extractive":
        return ["extractive-1"]
    return await _check_search_account(provider, base_url, key)


async def _list_models_at(provider: str, base_url: str | None, key: str | None) -> list[str]:
    """Return the models of a provider in `LISTS`."""
    path, rows, name = MODEL_LISTS[provider]
    body = await _get_json(urljoin(base_url or BASE_URLS[provider], path), key)
    return [str(row[name]) for row in body[rows]]


async def _check_search_account(provider: str, base_url: str | None, key: str | None) -> list[str]:
    """Check an account at a web search provider; return no models."""
    where = ACCOUNT_URLS[provider]
    if base_url:
        where = urljoin(base_url, urlsplit(where).path)
    await _get_json(where, key, in_query=provider == "serpapi")
    return []


async def _check_http_account(base_url: str, headers: dict[str, str]) -> None:
    """Check that the service answers at its address and accepts the credentials; it may serve no page there."""
    request = OutgoingRequest("GET", base_url, credentials=headers, origin=base_url)
    response = await send_request(request, hosts=(), max_bytes=MAX_CHECKED_BYTES, seconds=TIMEOUT_SECONDS)
    if response.status in REFUSALS or response.status >= SERVER_ERROR:
        raise EndpointError(response.status)


async def _get_json(url: str, key: str | None, *, in_query: bool = False) -> Any:
    parameters = {"api_key": key or ""} if in_query else None
    headers = {} if in_query else {"Authorization": f"Bearer {key or NO_KEY}"}
    async with http_client(TIMEOUT_SECONDS) as client:
        response = await client.get(url, headers=headers, params=parameters)
    if not response.is_success:
        raise EndpointError(response.status_code)
    return response.json()


class EndpointError(Exception):
    """Raised when an endpoint responds with an error status."""

    def __init__(self, status_code: int) -> None:
        super().__init__(f"status {status_code}")
        self.status_code = status_code
