"""Which addresses may be reached. Tenants name them; this process can reach more than they may."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# RFC 6052, and IPv4-compatible addresses of RFC 4291: an IPv4 address in disguise, which a gateway would unwrap.
_WRAPPED = (ip_network("64:ff9b::/96"), ip_network("::/96"))
# Addresses of protocols, not of hosts (RFC 6890); older Pythons call most of them global.
_PROTOCOLS = ip_network("192.0.0.0/24")


def may_reach(address: str, networks: Iterable[str] = ()) -> bool:
    """Whether `address` is public, or in one of `networks`.

    Raises:
        ValueError: when it is no IP address.
    """
    ip = _unwrapped(ip_address(address.partition("%")[0]))
    if any(ip in ip_network(network) for network in networks):
        return True
    return ip.is_global and not ip.is_multicast and ip not in _PROTOCOLS


def _unwrapped(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one carries: mapped, translated, 6to4 or Teredo."""
    if isinstance(ip, IPv4Address):
        return ip
    if inner := ip.ipv4_mapped or ip.sixtofour:
        return inner
    if ip.teredo:
        return ip.teredo[1]
    loopback = int(ip) <= 1
    return IPv4Address(int(ip) & 0xFFFFFFFF) if not loopback and any(ip in net for net in _WRAPPED) else ip
