"""From a connection to a forward proxy to one that leads to an upstream.

By HTTP's CONNECT (RFC 9110, 9.3.6) or SOCKS 5 (`wire.socks5`).
"""

from __future__ import annotations

from base64 import b64encode
from ipaddress import ip_address
from typing import Any

import gevent
from gevent import socket

from app.core.network.forward_proxies import ForwardProxy
from app.wire import socks5
from app.wire.http import http1, lenient
from app.wire.http.headers import Headers

COPY_BYTES = 64 * 1024


class ProxyRefusal(Exception):
    """The proxy does not make the connection. The text is a clause about the proxy, fit for the caller."""


class NoWayThere(ProxyRefusal):
    """It cannot reach this address, IPv6 most often; it may have a way to another one of the same name."""


def credentials(proxy: ForwardProxy) -> Headers:
    """The field that an HTTP proxy is shown with each request to it; none without a user name (RFC 7617)."""
    if not proxy.username and not proxy.password:
        return []
    pair = b64encode(f"{proxy.username}:{proxy.password}".encode()).decode()
    return [("Proxy-Authorization", f"Basic {pair}")]


def ask_for_tunnel(sock: Any, proxy: ForwardProxy, host: str, port: int) -> None:
    """Makes `sock`, connected to the proxy, lead to `host`, a canonical name or an address.

    Sets itself no time limit. Raises ProxyRefusal, OSError.
    """
    if proxy.scheme in ("http", "https"):
        _connect_by_http(sock, proxy, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        return
    try:
        _connect_by_socks(sock, proxy, host, port)
    except socks5.Unreachable as error:
        raise NoWayThere(str(error)) from None
    except socks5.SocksError as error:
        raise ProxyRefusal(str(error)) from None


def refusal(status: int, reason: str) -> str:
    """What an HTTP proxy's answer other than 2xx says, as a clause about the proxy."""
    if status == 407:
        return "it wants a user name and password in its URL, or others than it was given (407)"
    return f"it answered {f'{status} {reason}'.strip()}"


def _connect_by_http(sock: Any, proxy: ForwardProxy, authority: str) -> None:
    sock.sendall(http1.format_head(f"CONNECT {authority} HTTP/1.1", [("Host", authority), *credentials(proxy)]))
    received = b""
    try:
        while True:
            while (end := http1.find_head_end(received, 0, lenient.MAX_HEAD_BYTES)) < 0:
                received += _receive(sock, COPY_BYTES)
            head = _head(received[:end])
            received = received[end:]
            if head.status >= 200:
                break
    except http1.HttpSyntaxError as error:
        raise ProxyRefusal(f"it does not answer as an HTTP proxy does: {error}") from None
    if head.status >= 300:
        raise ProxyRefusal(refusal(head.status, head.reason))
    if received:  # an upstream does not speak first, so whose bytes these are nobody knows
        raise ProxyRefusal("it sent something of its own after it had opened the connection")


def _head(block: bytes) -> http1.ResponseHead:
    """Raises HttpSyntaxError. What every client reads is read here, too; how it frames a body means nothing here."""
    try:
        return http1.parse_response_head(block, "CONNECT")
    except http1.HttpSyntaxError:
        return lenient.parse_response_head(block, "CONNECT")


def _connect_by_socks(sock: Any, proxy: ForwardProxy, host: str, port: int) -> None:
    has_login = bool(proxy.username or proxy.password)
    sock.sendall(socks5.greeting(has_login=has_login))
    if socks5.wants_login(_receive_exactly(sock, socks5.CHOICE_BYTES)):
        if not has_login:
            raise socks5.SocksError("it wants a user name and password in its URL")
        sock.sendall(socks5.login(proxy.username, proxy.password))
        socks5.check_login(_receive_exactly(sock, socks5.CHOICE_BYTES))
    try:
        sock.sendall(socks5.connect(ip_address(host), port))
    except ValueError:
        sock.sendall(socks5.connect(host, port))
    head = _receive_exactly(sock, socks5.REPLY_HEAD_BYTES)
    socks5.check_reply(head)
    _receive_exactly(sock, socks5.rest_length(head, _receive_exactly(sock, 1)[0]))


def _receive(sock: Any, size: int) -> bytes:
    data: bytes = sock.recv(size)
    if not data:
        raise ProxyRefusal("it closed the connection without an answer")
    return data


def _receive_exactly(sock: Any, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += _receive(sock, size - len(data))
    return data


def end_for_tls(tunnel: Any) -> Any:
    """A socket on which TLS can be spoken through `tunnel`, a TLS connection to a proxy; it takes that over.

    Python's TLS wants a file descriptor under it and not another TLS socket. So two greenlets copy between `tunnel`
    and one end of a socket pair; the other end is the answer.
    """
    ours, theirs = socket.socketpair()
    gevent.spawn(_join, tunnel, theirs)
    return ours


def _join(tunnel: Any, end: Any) -> None:
    try:
        downwards = gevent.spawn(_copy, tunnel, end)
        _copy(end, tunnel)
        downwards.join()
    finally:
        tunnel.close()
        end.close()


def _copy(source: Any, sink: Any) -> None:
    """An end on either side ends both: whether it came too early, the TLS within tells."""
    try:
        while data := source.recv(COPY_BYTES):
            sink.sendall(data)
    except OSError:
        pass
    for sock in (source, sink):
        try:
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not SSLSocket's, which takes its TLS from under a reader
        except OSError:
            pass  # it is shut already
