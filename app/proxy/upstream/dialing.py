"""Opens a connection to an upstream: resolve once, check every address, dial one of those checked, then TLS.

Where a forward proxy leads there, it is the proxy that is dialled, unjudged because the operator chose it, and what can
be known of the upstream is checked all the same.
"""

from __future__ import annotations

import logging
import ssl
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any

import gevent
from gevent import socket
from gevent.ssl import SSLContext

from app.core.errors import AddressRefused, UpstreamFault
from app.core.failures import Failure
from app.core.model import Upstream
from app.core.network.addresses import canonical_host
from app.core.network.egress import EgressPolicy, Refusal
from app.core.network.forward_proxies import ForwardProxies, ForwardProxy, WayOut, way_through
from app.proxy.upstream.certificates import handshake_fault, verifying_context
from app.proxy.upstream.forward_proxy import NoWayThere, ProxyRefusal, ask_for_tunnel, end_for_tls
from app.proxy.upstream.racing import alternated, connect_first
from app.proxy.upstream.resolving import Resolver
from app.tcp_keepalive import USUAL, TcpKeepalive

log = logging.getLogger(__name__)

MAX_TLS_SESSIONS = 1024
"""Upstreams, web pages' among them, whose TLS session is remembered."""

MAX_WAYS = 1024
"""Upstreams of which it is remembered through which proxy they are reached."""

# How far a connection is on its way, and what it means when the time is over then.
_TO_UPSTREAM, _TLS, _TO_PROXY, _PROXY_TLS, _AT_PROXY = range(5)
_TOO_LONG = (
    "",
    ": the TLS handshake did not end",
    ": the proxy on the gateway's way out cannot be reached",
    ": the TLS handshake with the proxy on the gateway's way out did not end",
    ": the proxy on the gateway's way out did not answer",
)


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


class _Dialling:
    """One connection on its way, and how far it is: what an error tells."""

    __slots__ = ("step", "upstream", "way")

    def __init__(self, upstream: Upstream, way: WayOut | None) -> None:
        self.upstream = upstream
        self.way = way
        self.step = _TO_UPSTREAM

    def too_long(self, timeout_s: float) -> UpstreamFault:
        return no_connection(self.upstream, f"{_TOO_LONG[self.step]} within {timeout_s:g} s")

    def failed(self, error: OSError) -> UpstreamFault:
        secures = self.step in (_TLS, _PROXY_TLS)
        text = handshake_fault(error) if secures else error.strerror or str(error)
        return no_connection(self.upstream, f": {text}" if self.step in (_TO_UPSTREAM, _TLS) else by_proxy(text))


class Dialer:
    """One verified TLS context for all upstreams and proxies, and the guard on what may be dialled."""

    def __init__(
        self,
        egress: EgressPolicy,
        own: OwnAddress,
        keepalive: TcpKeepalive = USUAL,
        proxies: ForwardProxies = ForwardProxies(),  # noqa: B008 - frozen
        tls: SSLContext | None = None,
    ) -> None:
        self._egress = egress
        self._own = own
        self.keepalive = keepalive
        self.has_proxies = proxies != ForwardProxies()
        """False: only upstreams that bring a proxy of their own are reached by one."""
        self._way_to = lru_cache(MAX_WAYS)(proxies.way_to)
        self._resolver = Resolver()
        self._tls = tls or verifying_context()
        self._tls_sessions: dict[tuple[str, int], ssl.SSLSession] = {}

    def way_to(self, upstream: Upstream, *, switches: bool = False) -> WayOut | None:
        """Through which proxy an upstream is reached; None when directly. See ForwardProxies.way_to."""
        if upstream.proxy is not None:
            return way_through(upstream.proxy, upstream.scheme, switches=switches)
        if not self.has_proxies:
            return None
        return self._way_to(upstream.scheme, upstream.host, upstream.port, switches=switches)

    def dial(self, upstream: Upstream, timeout_s: float, way: WayOut | None = None) -> Any:
        """A connected gevent socket. `timeout_s` covers name, connection, the proxy's answers and TLS.

        Where `way` does not tunnel, the socket leads to its proxy.
        Raises UpstreamFault, or AddressRefused when the guard forbids it; then nothing was dialled.
        """
        dialling = _Dialling(upstream, way)
        try:
            with gevent.Timeout(timeout_s, ConnectTimeout):
                return self._open(dialling)
        except ConnectTimeout:
            raise dialling.too_long(timeout_s) from None
        except ProxyRefusal as clause:
            raise no_connection(upstream, by_proxy(str(clause))) from None
        except OSError as error:
            raise dialling.failed(error) from None

    def check(self, upstream: Upstream, timeout_s: float = 5.0) -> None:
        """Raises AddressRefused when the upstream is known to be at an address that may not be dialled.

        A name that cannot be resolved now passes: it is checked again at every dialling.
        """
        try:
            with gevent.Timeout(timeout_s, ConnectTimeout):
                self._addresses(upstream, self.way_to(upstream))
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

    def _open(self, dialling: _Dialling) -> Any:
        upstream, way = dialling.upstream, dialling.way
        addresses = self._addresses(upstream, way)
        if way is None:
            sock = self._connect(addresses)
        elif not way.tunnels:
            return self._connect_to(way.proxy, dialling)
        else:
            sock = self._tunnel(dialling, way.proxy, addresses)
        if upstream.scheme == "http":
            return sock
        dialling.step = _TLS
        return self._secure(sock, upstream.host, self._tls_sessions.get((upstream.host, upstream.port)))

    def _connect(self, addresses: list[Any]) -> Any:
        sock = connect_first(addresses)
        self.keepalive.set_on(sock)
        return sock

    def _connect_to(self, proxy: ForwardProxy, dialling: _Dialling) -> Any:
        dialling.step = _TO_PROXY
        sock = self._connect(self._resolver.addresses(proxy.host, proxy.port))
        if proxy.scheme != "https":
            return sock
        dialling.step = _PROXY_TLS
        return self._secure(sock, proxy.host, None)

    def _tunnel(self, dialling: _Dialling, proxy: ForwardProxy, addresses: list[Any]) -> Any:
        """A socket that leads through the proxy to the upstream: to one of `addresses`, or of its name without any."""
        upstream = dialling.upstream
        hosts = [info[4][0] for info in alternated(addresses)] or [upstream.host.removesuffix(".")]
        for host in hosts:
            sock = self._connect_to(proxy, dialling)
            dialling.step = _AT_PROXY
            try:
                ask_for_tunnel(sock, proxy, host, upstream.port)
            except BaseException as error:
                sock.close()
                if isinstance(error, NoWayThere) and host != hosts[-1]:
                    continue
                raise
            return end_for_tls(sock) if proxy.scheme == "https" and upstream.scheme == "https" else sock
        raise AssertionError("there is always a host")

    def _addresses(self, upstream: Upstream, way: WayOut | None) -> list[Any]:
        """What getaddrinfo says, asked once and all of it allowed; nothing for a name that the proxy resolves.

        Raises AddressRefused, OSError.
        """
        try:
            host = canonical_host(upstream.host)
        except ValueError:
            raise _refused(upstream, Refusal("is no host name or address")) from None
        elsewhere = way is not None and way.proxy.resolves_names and not _is_numeric(host)
        self._judge(upstream, host, [], resolved_elsewhere=elsewhere)
        if elsewhere:
            return []
        found = self._resolver.addresses(host, upstream.port)
        self._judge(upstream, host, [info[4] for info in found])
        return found

    def _judge(self, upstream: Upstream, host: str, found: list[Any], *, resolved_elsewhere: bool = False) -> None:
        refusal = self._egress.judge(
            host,
            upstream.port,
            [address[0] for address in found],
            any_port=not upstream.from_caller,
            own=[address[0] for address in found if self._own.is_at(address)],
            resolved_elsewhere=resolved_elsewhere,
        )
        if refusal is not None:
            raise _refused(upstream, refusal)

    def _secure(self, sock: Any, host: str, session: ssl.SSLSession | None) -> Any:
        """TLS on a connected socket, which it takes over. Raises OSError."""
        # An end without TLS's own is no end: whoever cuts the wire must not be able to shorten a body.
        secured = self._tls.wrap_socket(
            sock,
            server_hostname=host.removesuffix("."),  # RFC 6066, 3: without it
            session=session,
            suppress_ragged_eofs=False,
            do_handshake_on_connect=False,
        )
        try:
            secured.do_handshake()
        except BaseException:
            secured.close()
            raise
        return secured


def no_connection(upstream: Upstream, why: str) -> UpstreamFault:
    """`why` follows the upstream's name."""
    return UpstreamFault(Failure.UNREACHABLE, f"no connection to {upstream.authority}{why}")


def by_proxy(clause: str) -> str:
    """A clause about the proxy, for `no_connection`. Its address is not the caller's business."""
    return f": the proxy on the gateway's way out: {clause}"


def _is_numeric(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


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
