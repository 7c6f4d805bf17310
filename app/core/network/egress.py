"""Where the gateway may connect to: the public internet, and what the operator adds and takes away.

Server-side request forgery is the chief bug of proxies of this kind. So the answer depends on the addresses that are
really dialled, never on a name alone, and it is asked again at every connect (DNS may change its mind).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple

from app.core.network.addresses import Address, Network, canonical_host, embedded_ipv4, is_localhost, special_use

Ports = tuple[range, ...]

USUAL_PORTS = (80, 443, 8080, 8443)
_ALLOW_IT = "; the operator can allow it with EGRESS_ALLOW"
_LOOPBACK = (IPv4Address("127.0.0.1"), IPv6Address("::1"))
_ENTRY = re.compile(r"(?:\[([^]]*)\]|([^]:[]*))(?::([^:]*))?")
_PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)


class Entry(NamedTuple):
    """One entry of EGRESS_ALLOW or EGRESS_DENY: a network or a name, at one port or at all (None)."""

    network: Network | None
    name: str
    """Canonical and without trailing dot. `*.example` holds all names below `example`, not itself."""
    port: int | None

    def holds(self, what: str | Address, port: int) -> bool:
        """True for a canonical name or an address at a port that this entry means."""
        if self.port not in (None, port):
            return False
        if isinstance(what, str):
            return what == self.name or (self.name.startswith("*.") and what.endswith(self.name[1:]))
        return self.network is not None and what in self.network


class Refusal(NamedTuple):
    """Why nothing is dialled."""

    reason: str
    """A clause without subject ("is loopback"), and what the operator can do. Names no address."""
    address: str = ""
    """The address that is refused; empty when it is the name."""


class EgressPolicy:
    """The deployment's rules: `deny` goes before `allow`, `allow` before what is public."""

    def __init__(self, allow: Iterable[Entry] = (), deny: Iterable[Entry] = (), ports: Ports = ()) -> None:
        self._allow = tuple(allow)
        self._deny = tuple(deny)
        self._ports = (*(range(port, port + 1) for port in USUAL_PORTS), *ports)

    def judge(
        self,
        host: str,
        port: int,
        addresses: Iterable[str] = (),
        *,
        any_port: bool = False,
        own: Collection[str] = (),
        resolved_elsewhere: bool = False,
    ) -> Refusal | None:
        """Why a canonical host may not be dialled at a port; None when it may.

        Asked first without addresses, so that the resolver hears of no name that is refused as such, and then with all
        that the name has. Each of them must pass: then the answer does not depend on their order or on which of them
        is up, and a name that mixes public and private ones is an attack or a mistake.

        `any_port` is for a target that the operator wrote. `own` are those of the addresses at which the gateway itself
        listens; nothing opens them. `resolved_elsewhere` is for a name that a forward proxy resolves: its addresses are
        not known here, so what is judged is the name and the port.

        An IPv6 address that leads to an IPv4 one is never public, whatever is inside. EGRESS_ALLOW opens it where it
        holds the IPv6 address and the IPv4 address inside is public or held too; an IPv4-mapped one, which is the IPv4
        address in all but spelling, also by the latter alone. EGRESS_DENY closes it by either.
        """
        name = host.removesuffix(".")
        if any(entry.holds(name, port) for entry in self._deny):
            return Refusal("is closed by EGRESS_DENY")
        named = [entry for entry in self._allow if entry.holds(name, port)]
        is_here = is_localhost(name)
        if is_here and not named and not any(self._allowing(address, port) for address in _LOOPBACK):
            return Refusal(f"is a name of the gateway's own machine{_ALLOW_IT}")
        if resolved_elsewhere and not self._opens_port(port, named, any_port=any_port):
            return _port_refusal(port)
        for text in addresses:
            if text in own:
                return Refusal("leads to the gateway itself", text)
            if refusal := self._judge_address(text, port, named, is_here=is_here, any_port=any_port):
                return refusal
        return None

    def _judge_address(
        self, text: str, port: int, named: list[Entry], *, is_here: bool, any_port: bool
    ) -> Refusal | None:
        """`named`: the entries of EGRESS_ALLOW that open the name. `is_here`: it means the gateway's own machine."""
        address = ip_address(text)
        opened = named or self._allowing(address, port)
        purpose = special_use(address) or ("not loopback, as the name says" if is_here else None)
        if self._denied(address, port):
            return Refusal("has an address that EGRESS_DENY closes", text)
        if purpose and not opened:
            return Refusal(f"is not public: its address is {purpose}{_ALLOW_IT}", text)
        if not self._opens_port(port, opened, any_port=any_port):
            return _port_refusal(port, text)
        return None

    def _denied(self, address: Address, port: int) -> bool:
        inner = embedded_ipv4(address)
        return any(entry.holds(address, port) or (inner and entry.holds(inner, port)) for entry in self._deny)

    def _allowing(self, address: Address, port: int) -> list[Entry]:
        """The entries of EGRESS_ALLOW that open an address."""
        entries = [entry for entry in self._allow if entry.holds(address, port)]
        inner = embedded_ipv4(address)
        if inner is None:
            return entries
        inside = [entry for entry in self._allow if entry.holds(inner, port)]
        if inside and isinstance(address, IPv6Address) and address.ipv4_mapped:
            return inside
        return entries if inside or special_use(inner) is None else []

    def _opens_port(self, port: int, opened: list[Entry], *, any_port: bool) -> bool:
        return any_port or any(port in ports for ports in self._ports) or any(entry.port for entry in opened)


def _port_refusal(port: int, address: str = "") -> Refusal:
    return Refusal(f"is asked for at port {port}; the operator can allow it with EGRESS_PORTS", address)


def parse_entries(text: str) -> tuple[Entry, ...]:
    """Reads EGRESS_ALLOW or EGRESS_DENY: addresses, CIDRs, names and `*.example`, each perhaps with a port, and commas.

    An IPv6 address with a port stands in brackets. Raises ValueError.
    """
    return tuple(_parse_entry(entry.strip()) for entry in text.split(",") if entry.strip())


def parse_ports(text: str) -> Ports:
    """Reads EGRESS_PORTS: ports and ranges such as `8000-8999`, with commas between, or `*`. Raises ValueError."""
    if text.strip() == "*":
        return (range(1, 65536),)
    return tuple(_parse_range(part.strip()) for part in text.split(",") if part.strip())


def _parse_range(text: str) -> range:
    match = _PORTS.fullmatch(text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 0 < first <= last < 65536:
        raise ValueError(f"{text!r} is no port from 1 to 65535, nor a range of them such as 8000-8999")
    return range(first, last + 1)


def _parse_entry(text: str) -> Entry:
    match = _ENTRY.fullmatch(text)
    if match is None or match[3] is None:
        return _entry(text, text if match is None else match[1] or match[2], None)
    ports = _parse_range(match[3])
    if len(ports) > 1:
        raise ValueError(f"{text!r} has more than one port; write an entry for each")
    return _entry(text, match[1] or match[2], ports.start)


def _entry(text: str, where: str, port: int | None) -> Entry:
    """`text` is the entry as it stands, `where` its address, network or name."""
    if "%" in where:
        raise ValueError(f"{text!r} has a %: neither zone ids nor encoded names are understood here")
    try:
        return Entry(ip_network(where), "", port)
    except ValueError as error:
        if "/" in where:
            raise ValueError(f"{text!r} is not a CIDR such as 10.0.0.0/8: {error}") from None
    wildcard = "*." if where.startswith("*.") else ""
    name = canonical_host(where.removeprefix(wildcard)).removesuffix(".")
    if "*" in name:
        raise ValueError(f"{text!r} has a * elsewhere than in front, as in *.example")
    if ":" in name or name.replace(".", "").isdigit():
        raise ValueError(f"{text!r} is not an address as it should be written, such as 10.0.0.1 or fd00::1")
    return Entry(None, wildcard + name, port)
