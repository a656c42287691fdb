"""SSRF protection: the IP addresses that requests may reach, and a client that connects only to them.

The address is checked when the connection is made, after name resolution and for every redirect. The connection
goes to the checked address, so DNS rebinding has no effect.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any

import httpcore2

from config.http.tls import ssl_context

if TYPE_CHECKING:
    from httpx2 import AsyncClient

Resolver = Callable[[str, int], Awaitable[list[str]]]

# RFC 6052: an embedded IPv4 address, which a NAT64 gateway extracts.
NAT64 = ip_network("64:ff9b::/96")
GLOBAL_UNICAST = ip_network("2000::/3")
# Protocol assignments, including cloud metadata services, and 6to4 relays. Some Python versions report them as global.
NOT_PUBLIC_IPV4 = [ip_network(each) for each in ("192.0.0.0/24", "192.88.99.0/24")]
# Parts of 2000::/3 for protocols, documentation, and tunnels that embed an IPv4 address (Teredo and 6to4).
NOT_PUBLIC = [ip_network(each) for each in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]


def may_reach(address: str, networks: Iterable[str] = ()) -> bool:
    """Return whether `address` is public or in one of `networks`.

    An IPv4-mapped or NAT64 address is judged by the IPv4 address it embeds.

    Raises:
        ValueError: `address` is not an IP address.
    """
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or (IPv4Address(int(ip) & 0xFFFFFFFF) if ip in NAT64 else ip)
    return any(ip in ip_network(network) for network in networks) or is_public(str(ip))


def is_public(address: str) -> bool:
    """Return whether `address` is globally reachable and not a tunnel to another address.

    Raises:
        ValueError: `address` is not an IP address.
    """
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        return ip in GLOBAL_UNICAST and not any(ip in each for each in NOT_PUBLIC) and ip.is_global
    odd = ip.is_multicast or ip.is_reserved or any(ip in each for each in NOT_PUBLIC_IPV4)
    return ip.is_global and not odd


async def resolve_host(host: str, port: int) -> list[str]:
    """Return the distinct addresses of `host`.

    Raises:
        httpcore2.ConnectError: it has none.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError("All connection attempts failed") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def join_port(host: str, port: int) -> str:
    """Return `host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Network backend that connects only to addresses that `may_reach` allows, through `inner`.

    Args:
        hosts: further allowed destinations, each a name or address with its port, as in `127.0.0.1:11434`.
        resolver: called once per connection; the connection goes to one of the returned addresses.
    """

    def __init__(
        self,
        inner: httpcore2.AsyncNetworkBackend,
        networks: Collection[str],
        resolver: Resolver,
        hosts: Collection[str] = (),
    ) -> None:
        self.inner, self.networks, self.resolver, self.hosts = inner, networks, resolver, hosts

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
            httpcore2.ConnectError: none does, or, with the same message, an address is not allowed.
            httpcore2.ConnectTimeout: the last address does not answer within `timeout`.
        """
        failure: Exception = httpcore2.ConnectError("All connection attempts failed")
        found = await self.resolver(host, port)
        for address in found if all(self._allows(host, port, each) for each in found) else []:
            try:
                return await self.inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    def _allows(self, host: str, port: int, address: str) -> bool:
        named = {join_port(host, port), join_port(address, port)}
        return not named.isdisjoint(self.hosts) or may_reach(address, self.networks)

    async def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore2.AsyncNetworkStream:
        """Refuse Unix sockets."""
        raise httpcore2.ConnectError("All connection attempts failed")

    async def sleep(self, seconds: float) -> None:
        await self.inner.sleep(seconds)


def guarded_client(
    networks: Collection[str],
    *,
    hosts: Collection[str] = (),
    resolver: Resolver = resolve_host,
    trust_env_certificates: bool = False,
    keepalive: int = 0,
    **options: Any,
) -> "AsyncClient":
    """Return a client that connects only to public and allowed addresses.

    `networks` and `hosts` (each with its port) are allowed in addition.
    It uses no proxies, certificates or credentials of the environment, and keeps no connection alive by default, since
    every run has a separate event loop.

    Args:
        trust_env_certificates: honour SSL_CERT_FILE and SSL_CERT_DIR.
        keepalive: number of idle connections to keep, for a client that is used and closed in one event loop.
        options: of httpx2.AsyncClient. A `proxy` must restrict its destinations; this client cannot.
    """
    import httpx2

    limits, verify = (
        httpx2.Limits(max_keepalive_connections=keepalive),
        ssl_context(trust_env=trust_env_certificates),
    )
    client = httpx2.AsyncClient(limits=limits, verify=verify, trust_env=False, **options)
    pool: Any = client._transport._pool  # type: ignore[attr-defined]
    pool._network_backend = GuardedBackend(pool._network_backend, networks, resolver, hosts)
    return client
