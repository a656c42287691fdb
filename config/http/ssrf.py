"""SSRF protection: decide which IP addresses outgoing requests may reach."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

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
