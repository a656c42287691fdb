"""Whether an account at a provider can be used: its models are listed, which needs address and key to be right."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync

from agents.models import Integration
from agents.runtime.providers import (
    ANTHROPIC_ADDRESS,
    classify_error,
    google_provider,
    openai_client,
    speaks_openai,
)
from agents.runtime.providers import anthropic_client as anthropic_client_of
from agents.services.integrations import note_failure, note_offer

SECONDS = 10


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
    if speaks_openai(provider):
        async with openai_client(provider, base_url, key, SECONDS) as openai:
            return [str(model.id) async for model in openai.models.list()]
    if provider == "anthropic":
        async with anthropic_client_of(base_url or ANTHROPIC_ADDRESS, key, SECONDS) as anthropic:
            return [str(model.id) async for model in anthropic.models.list()]
    if provider == "google":
        pager = await google_provider(base_url, key, SECONDS).client.aio.models.list()
        return [str(model.name).removeprefix("models/") async for model in pager]
    return ["extractive-1"] if provider == "extractive" else []
