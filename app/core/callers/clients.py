"""Whom an address stands for."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network


def caller_of(address: str) -> str:
    """The address itself; of IPv6 the /64, which is what one caller usually holds.

    An IPv4 address that a socket for both versions shows as `::ffff:203.0.113.9` is one of IPv4: all of them lie in
    one /64.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ip_network((parsed, 64), strict=False))
    return address
