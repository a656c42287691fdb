"""Where connections to models may go. Tenants choose the endpoints; this process can reach more than they may.

The address is checked where the connection is made, after the name was resolved and for every redirect, and
that very address is connected to, so a name that resolves differently the next time gains nothing.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpcore2
from django.conf import settings

from config.net import addresses
from config.net.addresses import is_public

__all__ = ["GuardedBackend", "Resolver", "guard", "is_public", "may_reach", "resolve"]


def may_reach(address: str) -> bool:
    """Whether `address` is public, or in one of `settings.MODEL_NETWORKS`."""
    return addresses.may_reach(address, settings.MODEL_NETWORKS)


async def resolve(host: str, port: int) -> list[str]:
    """All addresses of `host`, each once.

    Raises:
        httpcore2.ConnectError: when it has none.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError("All connection attempts failed") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


Resolver = Callable[[str, int], Awaitable[list[str]]]


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects by `inner`, to addresses that `allowed` allows.

    Args:
        resolver: asked once for each connection; what it answers is what is connected to.
    """

    def __init__(
        self,
        inner: httpcore2.AsyncNetworkBackend,
        allowed: Callable[[str], bool] = may_reach,
        resolver: Resolver = resolve,
    ) -> None:
        self.inner, self.allowed, self.resolver = inner, allowed, resolver

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to the first address of `host` that answers.

        Raises:
            httpcore2.ConnectError: also when an address of `host` is out of bounds, in the same words.
        """
        failure: Exception = httpcore2.ConnectError("All connection attempts failed")
        found = await self.resolver(host, port)
        for address in found if all(map(self.allowed, found)) else []:
            try:
                return await self.inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore2.ConnectError as error:
                failure = error
        raise failure

    async def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore2.AsyncNetworkStream:
        """Refused: no model listens there."""
        raise httpcore2.ConnectError("All connection attempts failed")

    async def sleep(self, seconds: float) -> None:
        await self.inner.sleep(seconds)


def guard(client: Any, allowed: Callable[[str], bool] = may_reach, resolver: Resolver = resolve) -> Any:
    """Make an httpx2 client connect within bounds; a proxy of the environment keeps its own."""
    pool = client._transport._pool
    pool._network_backend = GuardedBackend(pool._network_backend, allowed, resolver)
    return client
