"""SSRF protection for model connections, whose endpoints tenants choose.

The address is checked when the connection is made, after name resolution and for every redirect. The connection
goes to the checked address, so DNS rebinding has no effect.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpcore2
from django.conf import settings

from config.http import ssrf as addresses
from config.http.ssrf import is_public

__all__ = ["GuardedBackend", "Resolver", "guard_client", "is_allowed_address", "is_public", "resolve_host"]


def is_allowed_address(address: str) -> bool:
    """Return whether `address` is public or in `settings.MODEL_NETWORKS`."""
    return addresses.may_reach(address, settings.MODEL_NETWORKS)


async def resolve_host(host: str, port: int) -> list[str]:
    """Return the distinct addresses of `host`.

    Raises:
        httpcore2.ConnectError: if it has none.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError("All connection attempts failed") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


Resolver = Callable[[str, int], Awaitable[list[str]]]


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Network backend that connects only to allowed addresses, through `inner`.

    Args:
        allowed: decides whether an address may be connected to.
        resolver: called once per connection; the connection goes to one of the returned addresses.
    """

    def __init__(
        self,
        inner: httpcore2.AsyncNetworkBackend,
        allowed: Callable[[str], bool] = is_allowed_address,
        resolver: Resolver = resolve_host,
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
        """Connect to the first address of `host` that accepts.

        Raises:
            httpcore2.ConnectError: if none does, or, with the same message, if any address is not allowed.
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
        """Refuse Unix sockets; no model endpoint uses them."""
        raise httpcore2.ConnectError("All connection attempts failed")

    async def sleep(self, seconds: float) -> None:
        await self.inner.sleep(seconds)


def guard_client(
    client: Any, allowed: Callable[[str], bool] = is_allowed_address, resolver: Resolver = resolve_host
) -> Any:
    """Restrict an httpx2 client to allowed addresses; proxy mounts are not restricted."""
    pool = client._transport._pool
    pool._network_backend = GuardedBackend(pool._network_backend, allowed, resolver)
    return client
