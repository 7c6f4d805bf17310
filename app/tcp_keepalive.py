"""TCP keepalive: the kernel asks a silent peer whether it still lives, and ends the connection of one that does not.

A call that is silent for minutes stays in the tables of the NAT devices on its way, and a peer that vanished without
a FIN is noticed. The kernel does it all: options set on a listening socket pass to what it accepts (Linux, macOS),
so an accepted connection costs nothing.

While something that we sent is unacknowledged, or waits for a peer that has no room for it, the kernel sends no such
probes: it resends, or asks for room, for a quarter of an hour. Such a peer is found by what the kernel knows of it, see
`has_vanished`. It asks ever more rarely, up to every two minutes; Linux from 6.15 on can be told a longest pause
(TCP_RTO_MAX_MS), without which who had no room for minutes and then vanishes is found later.

TCP_USER_TIMEOUT is not set. It would end a peer that lives and takes nothing for a while, whose time is CLIENT_TIMEOUT
or the idle timeout; and where it is set, Linux goes by it and no more by the count of unanswered probes.
"""

from __future__ import annotations

import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

_IDLE: Final[int] = getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", 0))
"""macOS calls it TCP_KEEPALIVE, and Python knows that name there since 3.10."""

_HAS_TCP_INFO = sys.platform == "linux"
_TCP_INFO = struct.Struct("=2xBB20xI28xI")
"""tcpi_retransmits, tcpi_probes, tcpi_unacked and tcpi_last_ack_recv (ms) in Linux's struct tcp_info."""
_RTO_MAX_MS: Final = 44
"""Linux's TCP_RTO_MAX_MS, which Python has no name for."""
_LONGEST_RTO_S: Final = 120


@dataclass(frozen=True, slots=True)
class TcpKeepalive:
    """When a peer is asked. One that has vanished is noticed after `idle_s` + `interval_s` * `count`."""

    idle_s: int = 30
    """Silence before the first probe; 0: none is ever sent."""
    interval_s: int = 10
    """Between two probes."""
    count: int = 3
    """Probes without an answer until the connection ends."""

    def options(self) -> dict[int, int]:
        """The options of level IPPROTO_TCP and their values, as far as this system has them."""
        if not self.idle_s:
            return {}
        found = {_IDLE: self.idle_s}
        found[getattr(socket, "TCP_KEEPINTVL", 0)] = self.interval_s
        found[getattr(socket, "TCP_KEEPCNT", 0)] = self.count
        found.pop(0, None)
        return found

    def set_on(self, sock: Any) -> None:
        """Switches it on for a connected socket, or for all that a listening socket will accept."""
        if not self.idle_s or sock.family not in (socket.AF_INET, socket.AF_INET6):
            return
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in self.options().items():
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
        if _HAS_TCP_INFO:
            with suppress(OSError):  # an older kernel
                sock.setsockopt(socket.IPPROTO_TCP, _RTO_MAX_MS, 1000 * min(self.interval_s, _LONGEST_RTO_S))

    def has_vanished(self, sock: Any) -> bool:
        """True when a peer neither acknowledges what was sent to it again nor says whether it has room, for too long.

        One that lives is heard of: it answers probes, and then data. So does one that takes nothing for a while.
        """
        if not self.idle_s or not _HAS_TCP_INFO:
            return False
        try:
            information = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
            resent, unanswered, unacknowledged, last_heard_ms = _TCP_INFO.unpack(information)
        except (OSError, struct.error):
            return False  # closed, or no TCP
        longest_ms = 1000 * (self.idle_s + self.interval_s * max(1, self.count - 1))  # the look itself takes a while
        is_missed = (resent > 1 and unacknowledged > 0) or unanswered > 1
        return is_missed and bool(last_heard_ms >= longest_ms)


USUAL: Final = TcpKeepalive()
