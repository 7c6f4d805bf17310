"""Connects to the first of a name's addresses that answers (RFC 8305, "Happy Eyeballs").

A host may have an address to which the way is broken, IPv6 most often, and only silence tells. So the next address
gets its turn after a moment, while the ones before it go on trying.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import gevent
from gevent import socket

ATTEMPT_DELAY_S = 0.25
"""How long an address may be alone (RFC 8305, 5). One that refuses makes room at once."""

AddressInfo = tuple[Any, ...]
"""As getaddrinfo gives it: family, kind, protocol, name, address."""


def connect_first(addresses: list[AddressInfo]) -> Any:
    """A connected gevent socket. Raises the OSError of the address that failed last; sets itself no time limit."""
    if len(addresses) == 1:
        return _connect(*addresses[0])
    pending: set[gevent.Greenlet] = set()
    last_error = OSError("the name has no address")
    waiting = alternated(addresses)
    try:
        while waiting or pending:
            if waiting:
                pending.add(gevent.spawn(_try, waiting.pop(0)))
            for attempt in gevent.wait(list(pending), ATTEMPT_DELAY_S if waiting else None, count=1):
                pending.discard(attempt)
                if not isinstance(attempt.value, OSError):
                    return attempt.value
                last_error = attempt.value
        raise last_error
    finally:
        for attempt in pending:
            attempt.rawlink(_close_late)
            attempt.kill(block=False)


def alternated(addresses: list[AddressInfo]) -> list[AddressInfo]:
    """The resolver's order, but the families by turns, so that one broken family costs one delay (RFC 8305, 4)."""
    first = [info for info in addresses if info[0] == addresses[0][0]]
    others = [info for info in addresses if info[0] != addresses[0][0]]
    return [info for pair in zip_longest(first, others) for info in pair if info is not None]


def _connect(family: int, kind: int, protocol: int, _: str, address: Any) -> Any:
    sock = socket.socket(family, kind, protocol)
    try:
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def _try(info: AddressInfo) -> Any:
    """The socket or the OSError: as a value, because gevent prints what a greenlet raises."""
    try:
        return _connect(*info)
    except OSError as error:
        return error


def _close_late(attempt: gevent.Greenlet) -> None:
    """Closes the connection of one that came in second."""
    if isinstance(attempt.value, socket.socket):
        attempt.value.close()
