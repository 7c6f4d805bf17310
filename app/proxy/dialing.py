"""Opens a connection to an upstream: resolve, check every address, dial one of those checked, then TLS."""

from __future__ import annotations

import ssl
from typing import Any

import gevent
from gevent import socket
from gevent.ssl import SSLContext

from app.core.egress import EgressPolicy
from app.core.errors import OperatorFault, UpstreamFault
from app.core.model import Mapping


class ConnectTimeout(Exception):
    """The connect timeout has run out; raised by gevent inside the dialling greenlet."""


class Dialer:
    """One verified TLS context for all upstreams, and the guard on what may be dialled."""

    def __init__(self, egress: EgressPolicy) -> None:
        self._egress = egress
        self._tls = SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._tls.load_default_certs()
        self._tls.set_alpn_protocols(["http/1.1"])
        self._tls_sessions: dict[tuple[str, int], ssl.SSLSession] = {}

    def dial(self, upstream: Mapping, timeout_s: float) -> Any:
        """A connected gevent socket. `timeout_s` covers name, connection and TLS.

        Raises UpstreamFault, or OperatorFault when the address is not allowed.
        """
        try:
            with gevent.Timeout(timeout_s, ConnectTimeout):
                return self._open(upstream, timeout_s)
        except ConnectTimeout:
            text = f"no connection to {upstream.authority} within {timeout_s:g} s"
        except OSError as error:
            text = f"no connection to {upstream.authority}: {error.strerror or error}"
        except UnicodeError as error:
            text = f"{upstream.host!r} is no host name: {error}"
        raise UpstreamFault(502, "upstream_unreachable", text)

    def check(self, upstream: Mapping, timeout_s: float = 5.0) -> None:
        """Raises OperatorFault when the upstream is known to be at an address that may not be dialled.

        A name that cannot be resolved now passes: it is checked again at every dialling.
        """
        try:
            with gevent.Timeout(timeout_s, ConnectTimeout):
                self._resolve(upstream)
        except (ConnectTimeout, OSError):
            return
        except UnicodeError as error:
            raise OperatorFault(502, "upstream_unreachable", f"{upstream.host!r} is no host name: {error}") from None

    def keep_tls_session(self, upstream: Mapping, sock: Any) -> None:
        """Remembers the connection's TLS session, so that the next handshake is short."""
        session = getattr(sock, "session", None)
        if session is not None:
            self._tls_sessions[upstream.host, upstream.port] = session

    def _open(self, upstream: Mapping, timeout_s: float) -> Any:
        addresses = self._resolve(upstream)
        sock = self._connect_first(addresses, timeout_s)
        if upstream.scheme == "http":
            return sock
        try:
            return self._secure(sock, upstream)
        except BaseException:
            sock.close()
            raise

    def _resolve(self, upstream: Mapping) -> list[Any]:
        addresses: list[Any] = socket.getaddrinfo(upstream.host, upstream.port, type=socket.SOCK_STREAM)
        if not self._egress.allowed(upstream.host, [str(info[4][0]) for info in addresses]):
            text = f"{upstream.host} is not a public address; the operator can allow it with EGRESS_ALLOW"
            raise OperatorFault(502, "egress_refused", text)
        return addresses

    @staticmethod
    def _connect_first(addresses: list[Any], timeout_s: float) -> Any:
        """Tries the addresses in the resolver's order; a silent one leaves time for the next."""
        last_error: OSError = OSError("the name has no address")
        for number, (family, kind, protocol, _, address) in enumerate(addresses):
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(timeout_s / (2 if number < len(addresses) - 1 else 1))
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
            except OSError as error:
                sock.close()
                last_error = error
            except BaseException:
                sock.close()
                raise
        raise last_error

    def _secure(self, sock: Any, upstream: Mapping) -> Any:
        session = self._tls_sessions.get((upstream.host, upstream.port))
        sock.settimeout(None)
        # An end without TLS's own is no end: whoever cuts the wire must not be able to shorten a body.
        return self._tls.wrap_socket(sock, server_hostname=upstream.host, session=session, suppress_ragged_eofs=False)
