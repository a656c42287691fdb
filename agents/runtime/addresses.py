"""Where connections to models may go. Tenants choose the endpoints; this process can reach more than they may.

The address is checked where the connection is made, after the name was resolved and for every redirect, and
that very address is connected to, so a name that resolves differently the next time gains nothing.
"""

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

import httpcore2
from django.conf import settings

# RFC 6052: an IPv4 address in disguise, which a gateway would unwrap.
NAT64 = ip_network("64:ff9b::/96")


def may_reach(address: str) -> bool:
    """Whether `address` is public, or in one of `settings.MODEL_NETWORKS`."""
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or (IPv4Address(int(ip) & 0xFFFFFFFF) if ip in NAT64 else ip)
    if any(ip in ip_network(network) for network in settings.MODEL_NETWORKS):
        return True
    return ip.is_global and not ip.is_multicast


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects by `inner`, to addresses that `may_reach` allows."""

    def __init__(self, inner: httpcore2.AsyncNetworkBackend) -> None:
        self.inner = inner

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
        for address in await _addresses(host, port):
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


async def _addresses(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError("All connection attempts failed") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    return addresses if all(map(may_reach, addresses)) else []


def guard(client: Any) -> Any:
    """Make an httpx2 client connect within bounds; a proxy of the environment keeps its own."""
    pool = client._transport._pool
    pool._network_backend = GuardedBackend(pool._network_backend)
    return client
