"""Health checks of platform adapters, and expiry of credentials."""

import asyncio
import logging
from uuid import UUID

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db.models.functions import Now

from agents.choices import AdapterStatus, CredentialStatus
from agents.models import PlatformAdapter, PlatformCredential
from config.db.connections import release_connections
from config.http.ssrf import guarded_client
from config.tenancy.scope import platform_scope

ACTOR = "system:upkeep"
TIMEOUT_SECONDS = 10
CONCURRENCY = 8

logger = logging.getLogger(__name__)


def check_adapters() -> int:
    """Call the health check of each adapter in use and return the number of healthy ones.

    A healthy adapter gets a new `last_health_check_at`; the log names the others. Call it outside any scope.
    """
    with platform_scope(reason="check the health of platform adapters", actor=ACTOR):
        rows = PlatformAdapter.objects.exclude(status=AdapterStatus.DISABLED).exclude(health_check_url="")
        addresses = dict(rows.values_list("pk", "health_check_url"))
    release_connections()
    healthy = async_to_sync(_find_healthy)(addresses)
    for adapter_id in addresses.keys() - set(healthy):
        logger.warning("The health check of platform adapter %s failed.", adapter_id)
    with platform_scope(reason="record the health of platform adapters", actor=ACTOR):
        return PlatformAdapter.objects.filter(pk__in=healthy).update(last_health_check_at=Now())


async def _find_healthy(addresses: dict[UUID, str]) -> list[UUID]:
    import httpx2

    places = asyncio.Semaphore(CONCURRENCY)

    async def is_healthy(url: str) -> bool:
        async with places:
            try:
                # The body is not read: it may be of any size.
                async with client.stream("GET", url) as response:
                    return response.is_success
            except (httpx2.HTTPError, httpx2.InvalidURL, OSError):
                return False

    async with guarded_client(settings.FETCH_NETWORKS, timeout=TIMEOUT_SECONDS) as client:
        results = await asyncio.gather(*map(is_healthy, addresses.values()))
    return [adapter_id for adapter_id, healthy in zip(addresses, results, strict=True) if healthy]


def expire_credentials() -> int:
    """Mark active credentials as expired whose time has passed, and return their number."""
    with platform_scope(reason="expire platform credentials", actor=ACTOR):
        rows = PlatformCredential.unscoped.filter(status=CredentialStatus.ACTIVE, expires_at__lte=Now())
        return rows.update(status=CredentialStatus.EXPIRED)
