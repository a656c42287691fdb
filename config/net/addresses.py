"""Which addresses may be reached. Tenants name them; this process can reach more than they may."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# RFC 6052: an IPv4 address in disguise, which a gateway would unwrap.
NAT64 = ip_network("64:ff9b::/96")
GLOBAL_UNICAST = ip_network("2000::/3")
# Protocol assignments, where a cloud's metadata service lives too, and relays of 6to4: some Pythons call them global.
NOT_PUBLIC_IPV4 = [ip_network(each) for each in ("192.0.0.0/24", "192.88.99.0/24")]
# Parts of 2000::/3 that are protocols, documentation, or tunnels which carry an IPv4 address: Teredo and 6to4.
NOT_PUBLIC = [ip_network(each) for each in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]


def may_reach(address: str, networks: Iterable[str] = ()) -> bool:
    """Whether `address`, or the IPv4 address that a gateway would make of it, is public or in one of `networks`.

    Raises:
        ValueError: when it is no IP address.
    """
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or (IPv4Address(int(ip) & 0xFFFFFFFF) if ip in NAT64 else ip)
    return any(ip in ip_network(network) for network in networks) or is_public(str(ip))


def is_public(address: str) -> bool:
    """Whether `address` is one that everybody on the internet can reach, and no tunnel to one that is not.

    Raises:
        ValueError: when it is no IP address.
    """
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        return ip in GLOBAL_UNICAST and not any(ip in each for each in NOT_PUBLIC) and ip.is_global
    odd = ip.is_multicast or ip.is_reserved or any(ip in each for each in NOT_PUBLIC_IPV4)
    return ip.is_global and not odd
