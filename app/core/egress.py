"""Which addresses the gateway may dial: public ones, and those that the operator allows.

Server-side request forgery is the chief bug of proxies of this kind. So the answer depends on the address that is
really dialled, never on a name alone, and it is asked again at every connect (DNS may change its mind).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network

# IANA's special-purpose registries name these not globally reachable, or they lead to an IPv4 address inside;
# Python 3.11's `is_global` says True for them.
_NOT_PUBLIC: tuple[_Network, ...] = tuple(
    ip_network(text)
    for text in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "224.0.0.0/4",
        "::/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
        "ff00::/8",
    )
)


class EgressPolicy:
    """Public addresses, and what `allow` (CIDRs, addresses and host names) adds to them."""

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self._hosts: set[str] = set()
        self._networks: list[_Network] = []
        for entry in allow:
            try:
                self._networks.append(ip_network(entry))
            except ValueError:
                self._hosts.add(entry.lower().rstrip("."))

    def allowed(self, host: str, addresses: Iterable[str]) -> bool:
        """True when every one of the addresses that `host` resolved to may be dialled; False for none at all."""
        addresses = list(addresses)
        if host.lower().rstrip(".") in self._hosts:
            return bool(addresses)
        return bool(addresses) and all(self._address_allowed(address) for address in addresses)

    def _address_allowed(self, text: str) -> bool:
        address = _parse(text)
        if address is None:
            return False
        return is_public(address) or any(
            address in network for network in self._networks if network.version == address.version
        )


def is_public(address: _Address) -> bool:
    """True for an address that anybody on the internet could reach."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    return address.is_global and not any(
        address in network for network in _NOT_PUBLIC if network.version == address.version
    )


def _parse(text: str) -> _Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
