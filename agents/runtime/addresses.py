"""Where connections to models may go. Tenants choose the endpoints; this process can reach more than they may.

The address is checked where the connection is made, after the name was resolved and for every redirect, and
that very address is connected to, so a name that resolves differently the next time gains nothing.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import httpcore2
from django.conf import settings

# RFC 6052: an IPv4 address in disguise, which a gateway would unwrap.
NAT64 = ip_network("64:ff9b::/96")
GLOBAL_UNICAST = ip_network("2000::/3")
# Protocol assignments, where a cloud's metadata service lives too, and relays of 6to4: some Pythons call them global.
NOT_PUBLIC_IPV4 = [ip_network(each) for each in ("192.0.0.0/24", "192.88.99.0/24")]
# Parts of 2000::/3 that are protocols, documentation, or tunnels which carry an IPv4 address: Teredo and 6to4.
NOT_PUBLIC = [ip_network(each) for each in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]


def may_reach(address: str) -> bool:
    """Whether `address` is public, or in one of `settings.MODEL_NETWORKS`."""
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or (IPv4Address(int(ip) & 0xFFFFFFFF) if ip in NAT64 else ip)
    if any(ip in ip_network(network) for network in settings.MODEL_NETWORKS):
        return True
    return ip.is_global and not ip.is_multicast


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


def is_public(address: str) -> bool:
    """Whether `address` is one that everybody on the internet can reach, and no tunnel to one that is not."""
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        return ip in GLOBAL_UNICAST and not any(ip in each for each in NOT_PUBLIC) and ip.is_global
    odd = ip.is_multicast or ip.is_reserved or any(ip in each for each in NOT_PUBLIC_IPV4)
    return ip.is_global and not odd


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
        addresses = await self.resolver(host, port)
        for address in addresses if all(map(self.allowed, addresses)) else []:
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
