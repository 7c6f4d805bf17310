"""Opens a connection to an upstream: resolve once, check every address, dial one of those checked, then TLS."""

from __future__ import annotations

import logging
import ssl
from ipaddress import IPv6Address, ip_address
from typing import Any

import gevent
from gevent import socket
from gevent.ssl import SSLContext

from app.core.addresses import canonical_host
from app.core.egress import EgressPolicy, Refusal
from app.core.errors import AddressRefused, UpstreamFault
from app.core.failures import Failure
from app.core.model import Upstream
from app.proxy.upstream.racing import connect_first
from app.proxy.upstream.resolving import Resolver
from app.tcp_keepalive import USUAL, TcpKeepalive

log = logging.getLogger(__name__)

MAX_TLS_SESSIONS = 1024
"""Upstreams, web pages' among them, whose TLS session is remembered."""


class ConnectTimeout(Exception):
    """The connect timeout has run out; raised by gevent inside the dialling greenlet."""


class OwnAddress:
    """Where the gateway listens: a request that it sends there comes back to it, and would go round for ever.

    What leads here from outside, such as a balancer's address or a port that a container's host passes on, cannot be
    known; EGRESS_DENY can name it.
    """

    def __init__(self, host: str, port: int) -> None:
        self._port = port
        try:
            address = ip_address(host)
        except ValueError:
            self._only = None  # a name: any address of this machine may be the one
        else:
            self._only = None if address.is_unspecified else address

    def is_at(self, address: Any) -> bool:
        """True when a socket address leads to the gateway itself."""
        if address[1] != self._port:
            return False
        numeric = ip_address(address[0])
        numeric = (isinstance(numeric, IPv6Address) and numeric.ipv4_mapped) or numeric
        if numeric.is_unspecified:  # connects to loopback
            return True
        return numeric == self._only if self._only else _belongs_here(address)


class Dialer:
    """One verified TLS context for all upstreams, and the guard on what may be dialled."""

    def __init__(self, egress: EgressPolicy, own: OwnAddress, keepalive: TcpKeepalive = USUAL) -> None:
        self._egress = egress
        self._own = own
        self._keepalive = keepalive
        self._resolver = Resolver()
        self._tls = SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls.load_default_certs()
        self._tls.set_alpn_protocols(["http/1.1"])
        self._tls_sessions: dict[tuple[str, int], ssl.SSLSession] = {}

    def dial(self, upstream: Upstream, timeout_s: float) -> Any:
        """A connected gevent socket. `timeout_s` covers name, connection and TLS.

        Raises UpstreamFault, or AddressRefused when the guard forbids it; then nothing was dialled.
        """
        try:
            with gevent.Timeout(timeout_s, ConnectTimeout):
                return self._open(upstream)
        except ConnectTimeout:
            text = f"no connection to {upstream.authority} within {timeout_s:g} s"
        except OSError as error:
            text = f"no connection to {upstream.authority}: {error.strerror or error}"
        raise UpstreamFault(Failure.UNREACHABLE, text)

    def check(self, upstream: Upstream, timeout_s: float = 5.0) -> None:
        """Raises AddressRefused when the upstream is known to be at an address that may not be dialled.

        A name that cannot be resolved now passes: it is checked again at every dialling.
        """
        try:
            with gevent.Timeout(timeout_s, ConnectTimeout):
                self._resolve(upstream)
        except (ConnectTimeout, OSError):
            return

    def keep_tls_session(self, upstream: Upstream, sock: Any) -> None:
        """Remembers the connection's TLS session, so that the next handshake is short."""
        session = getattr(sock, "session", None)
        if session is not None:
            self._tls_sessions.pop((upstream.host, upstream.port), None)
            self._tls_sessions[upstream.host, upstream.port] = session  # the newest stands last
            if len(self._tls_sessions) > MAX_TLS_SESSIONS:
                del self._tls_sessions[next(iter(self._tls_sessions))]

    def _open(self, upstream: Upstream) -> Any:
        sock = connect_first(self._resolve(upstream))
        self._keepalive.set_on(sock)
        if upstream.scheme == "http":
            return sock
        try:
            return self._secure(sock, upstream)
        except BaseException:
            sock.close()
            raise

    def _resolve(self, upstream: Upstream) -> list[Any]:
        """What getaddrinfo says, asked once and all of it allowed. Raises AddressRefused, OSError."""
        try:
            host = canonical_host(upstream.host)
        except ValueError:
            raise _refused(upstream, Refusal("is no host name or address")) from None
        self._judge(upstream, host, [])
        found = self._resolver.addresses(host, upstream.port)
        self._judge(upstream, host, [info[4] for info in found])
        return found

    def _judge(self, upstream: Upstream, host: str, found: list[Any]) -> None:
        refusal = self._egress.judge(
            host,
            upstream.port,
            [address[0] for address in found],
            any_port=not upstream.from_caller,
            own=[address[0] for address in found if self._own.is_at(address)],
        )
        if refusal is not None:
            raise _refused(upstream, refusal)

    def _secure(self, sock: Any, upstream: Upstream) -> Any:
        session = self._tls_sessions.get((upstream.host, upstream.port))
        # An end without TLS's own is no end: whoever cuts the wire must not be able to shorten a body.
        name = upstream.host.removesuffix(".")  # RFC 6066, 3: without it
        return self._tls.wrap_socket(sock, server_hostname=name, session=session, suppress_ragged_eofs=False)


def _belongs_here(address: Any) -> bool:
    """True for a socket address of this machine's: only such a one can be bound. Nothing is sent."""
    with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((address[0], 0, *address[2:]))
        except OSError:
            return False
    return True


def _refused(upstream: Upstream, refusal: Refusal) -> AddressRefused:
    """The caller is not told the address: what names in our network stand for is not their business."""
    address = refusal.address or "not resolved"
    log.warning("address_refused: %s %s (address %s, port %d)", upstream.host, refusal.reason, address, upstream.port)
    return AddressRefused(403, "address_refused", f"{upstream.host} {refusal.reason}")
