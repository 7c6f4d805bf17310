"""Whom an address stands for."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network


def caller_of(address: str) -> str:
    """The address itself; of IPv6 the /64, which is what one caller usually holds."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, 64), strict=False))
    return address
