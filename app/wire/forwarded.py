"""What reverse proxies before us say of a client: `X-Forwarded-For` and `X-Forwarded-Proto`.

Each proxy adds what it saw on the right of the list, so the n-th member from the right is the word of the outermost of
n trusted proxies, and all that stands left of it anybody may have written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address

_WITH_PORT = re.compile(r"([0-9.]+|\[[^][]+\]):\d{1,5}")
"""`203.0.113.9:50001`, as Azure's gateways write it, and `[2001:db8::1]:50001`."""


def client_of(peer: str, forwarded_for: str, proxies: int) -> str:
    """The client's address behind so many trusted proxies, in its canonical spelling.

    `peer` is where the connection came from, `forwarded_for` all fields joined by commas. Where the member that counts
    is missing or no address, the last trustworthy hop is taken: the next to its right that is one, at last `peer`.
    """
    return _trusted(forwarded_for, proxies, _address) or peer


def scheme_of(scheme: str, forwarded_proto: str, proxies: int) -> str:
    """What the client speaks to the outermost of so many trusted proxies, `http` or `https`; by the same rule."""
    return _trusted(forwarded_proto, proxies, _scheme) or scheme


def _trusted(listed: str, proxies: int, read: Callable[[str], str]) -> str:
    members = listed.split(",")[-proxies:]
    return next(filter(None, map(read, members)), "")


def _address(member: str) -> str:
    """The address of a list's member without blanks, quotes, brackets, zone and port; empty when it is none."""
    text = member.strip(" \t").strip('"')
    with_port = _WITH_PORT.fullmatch(text)
    if with_port:
        text = with_port[1]
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    return str((address.version == 6 and address.ipv4_mapped) or address)


def _scheme(member: str) -> str:
    scheme = member.strip(" \t").lower()
    return scheme if scheme in ("http", "https") else ""
