"""What an address is for, and how a host is written: IANA's registries and the URL standard.

Python's own `ipaddress` is not asked what is public: its answer differs between versions, and 3.11 calls NAT64, 6to4,
site-local and multicast addresses global.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit, urlunsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_SPECIAL_IPV4 = {
    "0.0.0.0/32": "the unspecified address",
    "0.0.0.0/8": "in this network (RFC 791)",
    "10.0.0.0/8": "private (RFC 1918)",
    "100.64.0.0/10": "shared behind a carrier's NAT (RFC 6598)",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local (RFC 3927)",
    "172.16.0.0/12": "private (RFC 1918)",
    "192.0.0.0/24": "for IETF protocols (RFC 6890)",
    "192.0.2.0/24": "for documentation (RFC 5737)",
    "192.88.99.0/24": "a 6to4 relay (RFC 7526)",
    "192.168.0.0/16": "private (RFC 1918)",
    "198.18.0.0/15": "for benchmarks (RFC 2544)",
    "198.51.100.0/24": "for documentation (RFC 5737)",
    "203.0.113.0/24": "for documentation (RFC 5737)",
    "224.0.0.0/4": "multicast",
    "255.255.255.255/32": "broadcast",
    "240.0.0.0/4": "reserved (RFC 1112)",
}
_SPECIAL_IPV6 = {
    "::/128": "the unspecified address",
    "::1/128": "loopback",
    "::ffff:0:0/96": "IPv4-mapped (RFC 4291)",
    "::/96": "IPv4-compatible (RFC 4291)",
    "64:ff9b::/96": "NAT64 (RFC 6052)",
    "64:ff9b:1::/48": "NAT64 for local use (RFC 8215)",
    "100::/64": "for discarding (RFC 6666)",
    "2001::/32": "Teredo (RFC 4380)",
    "2001:2::/48": "for benchmarks (RFC 5180)",
    "2001:10::/28": "ORCHID (RFC 4843)",
    "2001:20::/28": "ORCHIDv2 (RFC 7343)",
    "2001:db8::/32": "for documentation (RFC 3849)",
    "2001::/23": "for IETF protocols (RFC 2928)",
    "2002::/16": "6to4 (RFC 3056)",
    "3fff::/20": "for documentation (RFC 9637)",
    "5f00::/16": "for segment routing (RFC 9602)",
    "fc00::/7": "unique local (RFC 4193)",
    "fe80::/10": "link-local (RFC 4291)",
    "fec0::/10": "site-local (RFC 3879)",
    "ff00::/8": "multicast",
}
"""The first network that holds an address says what it is for."""

_SPECIAL: dict[int, tuple[tuple[Network, str], ...]] = {
    4: tuple((ip_network(text), purpose) for text, purpose in _SPECIAL_IPV4.items()),
    6: tuple((ip_network(text), purpose) for text, purpose in _SPECIAL_IPV6.items()),
}
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_COMPATIBLE = IPv6Network("::/96")
_NAT64 = IPv6Network("64:ff9b::/96")

_LOCALHOST_NAMES = frozenset(
    "localhost localhost4 localhost6 localhost.localdomain localhost4.localdomain4 localhost6.localdomain6 "
    "ip6-localhost ip6-loopback".split()
)
"""RFC 6761 reserves the first; the others stand for the loopback address in the hosts files of common systems."""

_NO_HOST = re.compile(r"[\x00-\x20\x7f/?#@\\:]")


def special_use(address: Address) -> str | None:
    """What an address is for that is not on the public internet, as words that follow "is"; None for a public one.

    Held against IANA's special-purpose registries of both versions, with multicast added and, of IPv6, all that is
    not global unicast (2000::/3). Networks that no web server can live in are taken whole, though a few of their
    addresses are globally reachable: 192.0.0.0/24 and 2001::/23.
    """
    for network, purpose in _SPECIAL[address.version]:
        if address in network:
            return purpose
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return "reserved (RFC 4291)"
    return None


def embedded_ipv4(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to by mapping, NAT64's well-known prefix, 6to4 or Teredo.

    NAT64 under a prefix of a network's own cannot be told from any other address.
    """
    if not isinstance(address, IPv6Address) or int(address) <= 1:
        return None
    if address in _COMPATIBLE or address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


def is_localhost(name: str) -> bool:
    """True for a canonical name that means the machine itself whatever a resolver says of it (RFC 6761, 6.3)."""
    return name in _LOCALHOST_NAMES or name.endswith(".localhost")


def is_name(host: str) -> bool:
    """False for a canonical host of which a resolver need not be asked: an address, or this machine."""
    try:
        ip_address(host)
    except ValueError:
        return not is_localhost(host)
    return False


def only_here(host: str) -> bool:
    """True for a host, as `HOST` may say it, that nobody but this machine reaches."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return is_localhost(host.lower())


_PLAIN_NAME = re.compile(r"(?!.*xn--)(?:[a-z0-9_-]+\.)*[a-z][a-z0-9_-]*\.?")
"""Of a name that is its own canonical form, as nearly all are: no A-label that could be wrong, no number at its end."""
_PLAIN_IPV4 = re.compile(r"(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})")


def canonical_host(text: str) -> str:
    """A host as browsers understand it: lower case, A-labels, and IPv4 in any spelling as four decimal numbers.

    Follows the URL standard's host parser (https://url.spec.whatwg.org/#host-parsing). IPv6 comes with or without
    brackets and leaves without; a zone id is an error. A name's trailing dot stays.
    Raises ValueError, also for a name that DNS cannot hold (RFC 1035, 2.3.4).
    """
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    is_ipv6 = ":" in bare
    try:
        if not bare or (_NO_HOST.search(bare.replace(":", "")) if is_ipv6 else _NO_HOST.search(text)):
            raise ValueError
        host = text if _PLAIN_NAME.fullmatch(text) else _parsed(f"[{bare}]" if is_ipv6 else text)
    except ValueError:
        raise ValueError(f"{text!r} is no host name or address") from None
    name = host.removesuffix(".")
    if len(name) > 253 or any(not 0 < len(label) <= 63 for label in name.split(".")):
        raise ValueError(f"{text!r} is no host name: each of its labels has 1 to 63 characters, all together 253")
    return host.strip("[]")


def _parsed(host: str) -> str:
    if _PLAIN_IPV4.fullmatch(host):
        return str(IPv4Address(host))
    import ada_url  # 1.2 MB, which most processes do without

    return str(ada_url.URL(f"http://{host}/").hostname)


MASK = "***"
"""What is shown for a password."""


def mask_url(url: str) -> str:
    """The URL with its password replaced, fit for a log."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    userinfo, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{userinfo.partition(':')[0]}:{MASK}@{host}"))
