"""SOCKS 5 (RFC 1928) with user name and password (RFC 1929), the client's side: bytes in, values out."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

CHOICE_BYTES = 2
"""Length of the proxy's answer to a greeting, and of that to a login."""
REPLY_HEAD_BYTES = 4
"""Length of the fixed part of its reply to a request."""

_NO_LOGIN, _PASSWORD, _NOTHING_OF_THESE = 0, 2, 0xFF
_IPV4, _NAME, _IPV6 = 1, 3, 4

# RFC 1928, 6
_REPLIES = {
    1: "it failed in general",
    2: "its rules do not allow this connection",
    3: "it cannot reach the network",
    4: "it cannot reach the host",
    5: "the connection was refused",
    6: "the connection took too long (TTL expired)",
    7: "it does not know the command CONNECT",
    8: "it does not know this kind of address",
}
_UNREACHABLE = (3, 4, 5, 6, 8)


class SocksError(ValueError):
    """The proxy refuses, or speaks no SOCKS 5. The text is a clause about the proxy."""


class Unreachable(SocksError):
    """The proxy has no way to this address."""


def greeting(*, has_login: bool) -> bytes:
    """Offers the ways to log in that we know."""
    return b"\x05\x02\x00\x02" if has_login else b"\x05\x01\x00"


def wants_login(choice: bytes) -> bool:
    """What the proxy's answer to the greeting says. Raises SocksError."""
    if choice[0] != 5:
        raise SocksError("it does not speak SOCKS 5")
    if choice[1] not in (_NO_LOGIN, _PASSWORD):
        raise SocksError("it wants a user name and password, or another way to log in than these")
    return choice[1] == _PASSWORD


def login(username: str, password: str) -> bytes:
    """User name and password; each has at most 255 bytes."""
    name, secret = username.encode(), password.encode()
    return b"\x01%c%b%c%b" % (len(name), name, len(secret), secret)


def check_login(answer: bytes) -> None:
    """Raises SocksError when the proxy does not let us in."""
    if answer[1] != 0:
        raise SocksError("it refuses this user name and password")


def connect(host: str | IPv4Address | IPv6Address, port: int) -> bytes:
    """Asks for a connection to an address, or to a name that the proxy then resolves."""
    if isinstance(host, str):
        name = host.encode("ascii")
        address = b"%c%c%b" % (_NAME, len(name), name)
    else:
        address = bytes([_IPV4 if host.version == 4 else _IPV6]) + host.packed
    return b"\x05\x01\x00" + address + port.to_bytes(2, "big")


def check_reply(head: bytes) -> None:
    """Raises SocksError when the first REPLY_HEAD_BYTES of the proxy's reply say that there is no connection."""
    if head[0] != 5 or (head[1] == 0 and head[3] not in (_IPV4, _NAME, _IPV6)):
        raise SocksError("it does not speak SOCKS 5")
    if head[1] in _UNREACHABLE:
        raise Unreachable(_REPLIES[head[1]])
    if head[1] != 0:
        raise SocksError(_REPLIES.get(head[1], f"it answered with the unknown code {head[1]}"))


def rest_length(head: bytes, first: int) -> int:
    """How long a checked reply is behind its head and the byte `first` after that.

    It names the address that the proxy connects from, which is of no use to us.
    """
    after_first = {_IPV4: 3, _NAME: first, _IPV6: 15}[head[3]]
    return after_first + 2
