"""The way out through a forward proxy: real small proxies, a real gateway or its dialer."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent import socket as gevent_socket
from websockets.sync.client import connect as connect_websocket
from websockets.sync.server import serve as serve_websocket

from app.certificate_files import CertificateFiles
from app.core import model
from app.core.errors import AddressRefused, UpstreamFault
from app.core.network.egress import EgressPolicy, parse_entries
from app.core.network.forward_proxies import parse_forward_proxies
from app.core.routing import parse_mapping
from app.proxy.messages import RequestBody
from app.proxy.upstream.certificates import verifying_context
from app.proxy.upstream.dialing import Dialer, OwnAddress
from app.proxy.upstream.transport import OutboundRequest, Transport
from tests.support.forward_proxy import ForwardProxy, HttpProxy, SocksProxy
from tests.support.gateway import GatewayProcess
from tests.support.tls import Authority, TlsUpstream, server_context
from tests.support.upstream import Upstream

NAMES = {"up.test": "127.0.0.1"}
LOGIN = ("us er", "p@:ss")
SHOWN = "us%20er:p%40%3Ass"
SCHEMES = ["http", "https", "socks5", "socks5h"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Path:
    return authority.issue("up.test", "127.0.0.1")


@pytest.fixture
def started() -> Iterator[list[Any]]:
    """What is closed at the end."""
    every: list[Any] = []
    yield every
    for one in every:
        one.close()


@pytest.fixture
def upstreams(started: list[Any], certificate: Path) -> dict[str, Upstream]:
    """By scheme; both echo, and only a proxy knows their name."""
    both = {"http": Upstream(), "https": TlsUpstream(context=server_context(certificate))}
    started.extend(both.values())
    return both


@pytest.fixture
def resolves_here(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The addresses of names for the gateway itself; others are not found."""
    names: dict[str, list[str]] = {}
    hub = gevent.get_hub()
    system = hub.resolver

    class Resolver:
        def getaddrinfo(self, host: Any, port: Any, *rest: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            if not name.replace(".", "").isdigit() and ":" not in name and name not in names:
                raise gevent_socket.gaierror(-2, "Name or service not known")
            found = [system.getaddrinfo(address, port, *rest) for address in names.get(name, [name])]
            return [info for infos in found for info in infos]

    monkeypatch.setattr(hub, "resolver", Resolver())
    return names


def make_proxy(started: list[Any], scheme: str, certificate: Path, **options: Any) -> ForwardProxy:
    context = server_context(certificate) if scheme == "https" else None
    kind = SocksProxy if scheme.startswith("socks") else HttpProxy
    proxy = kind(names=dict(NAMES), context=context, **options)
    started.append(proxy)
    return proxy


def dialer_through(url: str, authority: Authority | None = None, *, no_proxy: str = "", allow: str = "") -> Dialer:
    proxies = parse_forward_proxies({"ALL_PROXY": url, "NO_PROXY": no_proxy})
    tls = verifying_context(CertificateFiles(added=authority.file if authority else None))
    egress = EgressPolicy(parse_entries(allow or "127.0.0.1"))
    return Dialer(egress, OwnAddress("127.0.0.1", 0), proxies=proxies, tls=tls)


def at(target: str, *, from_caller: bool = False) -> model.Upstream:
    found = parse_mapping("/x", target).upstream
    return model.Upstream(
        found.scheme, found.host, found.port, found.authority, found.base_path, from_caller=from_caller
    )


def ask(transport: Transport, upstream: model.Upstream, method: str = "GET") -> bytes:
    request = OutboundRequest(upstream, method, "/a?b", [("Host", upstream.authority)], RequestBody(2, b"{}"))
    exchange = transport.send(request)
    body = b""
    while piece := exchange.read1(65536):
        body += piece
    assert exchange.answer.status == 200
    return body


def failure(dialer: Dialer, target: str, timeout_s: float = 5) -> str:
    """What the caller is told when nothing can be had from the target."""
    transport = Transport(dialer)
    upstream = at(target)
    try:
        with pytest.raises(UpstreamFault) as caught:
            ask(transport, upstream)
    finally:
        transport.close()
    assert (caught.value.status, caught.value.code) == (502, "upstream_unreachable")
    return caught.value.message


@pytest.mark.parametrize("login", [None, LOGIN])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("to", ["http", "https"])
def test_an_upstream_is_reached_through_the_proxy(
    started: list[Any], upstreams: dict[str, Upstream], authority: Authority, certificate: Path,
    resolves_here: dict[str, list[str]], to: str, scheme: str, login: tuple[str, str] | None,
) -> None:  # fmt: skip
    """By each kind of proxy, with and without login, to both kinds of upstream; the connection serves again."""
    if scheme == "socks5":
        resolves_here["up.test"] = ["127.0.0.1"]
    proxy = make_proxy(started, scheme, certificate, login=login)
    upstream = upstreams[to]
    transport = Transport(dialer_through(proxy.url(scheme, SHOWN if login else ""), authority))
    started.append(transport)
    for _ in range(2):
        assert b'"line": "POST /a?b HTTP/1.1"' in ask(transport, at(f"{to}://up.test:{upstream.port}"), "POST")
    assert [seen.connection for seen in upstream.seen] == [1, 1]
    assert all(seen.field("proxy-authorization") is None for seen in upstream.seen)
    place = f"up.test:{upstream.port}"
    if scheme == "socks5":
        assert proxy.asked == [f"127.0.0.1:{upstream.port}"], "the proxy was given a name"
    elif scheme == "socks5h":
        assert proxy.asked == [place]
    elif to == "https":
        assert proxy.asked == [f"CONNECT {place} HTTP/1.1"]
    else:
        assert proxy.asked == [f"POST http://{place}/a?b HTTP/1.1"] * 2


@pytest.mark.parametrize(
    "fields",
    [
        b"Proxy-Agent : a\r\n",
        b"Via: a\r\n b\r\n",
        b"no colon\r\n",
        b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        b"A: " + b"b" * 40_000 + b"\r\n",
    ],
)
def test_a_proxy_that_breaks_the_rules_as_every_client_forgives_opens_a_way(
    started: list[Any], upstreams: dict[str, Upstream], authority: Authority, certificate: Path, fields: bytes
) -> None:
    """As an upstream's answer that does; and a length or chunks said of the tunnel mean nothing (RFC 9110, 9.3.6)."""
    proxy = make_proxy(started, "http", certificate, opened=b"HTTP/1.0 200 OK\r\n" + fields + b"\r\n")
    transport = Transport(dialer_through(proxy.url("http"), authority))
    started.append(transport)
    assert ask(transport, at(f"https://up.test:{upstreams['https'].port}"))


def test_a_call_travels_through_the_proxy_from_end_to_end(
    start_gateway: Callable[..., GatewayProcess], started: list[Any], upstreams: dict[str, Upstream],
    authority: Authority, certificate: Path,
) -> None:  # fmt: skip
    """A gateway with HTTPS_PROXY and http_proxy serves mappings, a large body and a WebSocket through them."""
    proxy = make_proxy(started, "https", certificate, login=LOGIN)
    url = proxy.url("https", SHOWN)
    gateway = start_gateway(HTTPS_PROXY=url, http_proxy=url, CA_FILE=str(authority.file))
    big = b"x" * 3_000_000
    for scheme, upstream in upstreams.items():
        gateway.map(f"/{scheme}", f"{scheme}://up.test:{upstream.port}/base")
        reply = gateway.request("POST", f"/{scheme}/v1?x=1", big)
        assert reply.status == 200, reply.body
        assert reply.json()["line"] == "POST /base/v1?x=1 HTTP/1.1"
        assert len(reply.json()["body"]) == len(big)
    with serve_websocket(lambda one: one.send(one.recv()), "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        gateway.map("/ws", f"http://up.test:{server.socket.getsockname()[1]}")
        with connect_websocket(f"ws://127.0.0.1:{gateway.port}/ws/", proxy=None) as client:
            client.send("hello")
            assert client.recv(timeout=5) == "hello"
    assert proxy.asked[-1].startswith("CONNECT up.test:")
    log = gateway.settled_log(" status=101 ")
    assert f"https://127.0.0.1:{proxy.port}" in log
    assert "p@:ss" not in log
    assert SHOWN not in log


def test_loopback_and_no_proxy_are_reached_directly(started: list[Any], certificate: Path) -> None:
    """What NO_PROXY names, and loopback always, never meets the proxy."""
    proxy = make_proxy(started, "http", certificate)
    upstream = Upstream()
    started.append(upstream)
    transport = Transport(dialer_through(proxy.url("http")))
    started.append(transport)
    assert ask(transport, at(upstream.url))
    dialer = dialer_through(proxy.url("http"), no_proxy="corp.example")
    assert dialer.way_to(at("http://a.corp.example")) is None
    assert dialer.way_to(at("http://b.example")) is not None
    assert proxy.asked == []


def test_no_connection_is_shared_between_ways(
    started: list[Any], upstreams: dict[str, Upstream], certificate: Path
) -> None:
    """A connection that a request with Upgrade left behind, a tunnel, does not serve one that asks the proxy."""
    proxy = make_proxy(started, "http", certificate, login=LOGIN)
    transport = Transport(dialer_through(proxy.url("http", SHOWN)))
    started.append(transport)
    upstream = at(f"http://up.test:{upstreams['http'].port}")
    request = OutboundRequest(upstream, "GET", "/", [("Host", "up.test")], RequestBody(0), upgrade="websocket")
    exchange = transport.send(request)
    while exchange.read1(65536):
        pass
    ask(transport, upstream)
    assert [line.split(" ")[0] for line in proxy.asked] == ["CONNECT", "GET"]
    assert [seen.line for seen in upstreams["http"].seen] == ["GET / HTTP/1.1", "GET /a?b HTTP/1.1"]
    assert all(seen.field("proxy-authorization") is None for seen in upstreams["http"].seen)


def test_a_socks_proxy_without_a_way_to_one_address_is_asked_for_the_next(
    started: list[Any], upstreams: dict[str, Upstream], certificate: Path, resolves_here: dict[str, list[str]]
) -> None:
    """Of a name that is resolved here each allowed address gets its turn."""
    resolves_here["up.test"] = ["::1", "127.0.0.1"]
    proxy = make_proxy(started, "socks5", certificate)
    assert isinstance(proxy, SocksProxy)
    proxy.unreachable = ("::1",)
    transport = Transport(dialer_through(proxy.url("socks5"), allow="127.0.0.1,::1"))
    started.append(transport)
    port = upstreams["http"].port
    assert ask(transport, at(f"http://up.test:{port}"))
    assert proxy.asked == [f"::1:{port}", f"127.0.0.1:{port}"]


# --- what goes wrong, in words ---


@pytest.mark.parametrize(
    ("scheme", "answer", "says"),
    [
        ("http", b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", "user name and password in its URL"),
        ("http", b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!", "it answered 403 Forbidden"),
        ("http", b"SSH-2.0-OpenSSH\r\n\r\n", "does not answer as an HTTP proxy does"),
        ("http", b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "something of its own"),
        ("http", b"", "closed the connection without an answer"),
        ("socks5h", b"\x05\x02\x00\x01\0\0\0\0\0\0", "rules do not allow"),
        ("socks5h", b"\x05\x05\x00\x01\0\0\0\0\0\0", "connection was refused"),
        ("socks5h", b"\x05\x63\x00\x01\0\0\0\0\0\0", "unknown code 99"),
        ("socks5h", b"HTTP/1.1 400\r\n\r\n", "does not speak SOCKS 5"),
        ("socks5h", b"", "closed the connection without an answer"),
    ],
)
def test_a_refusal_of_the_proxy_is_told_in_words(
    started: list[Any], certificate: Path, scheme: str, answer: bytes, says: str
) -> None:
    """The 502 says that it was the proxy and what it said, and names neither its address nor its password."""
    proxy = make_proxy(started, scheme, certificate, refuses=answer or b" ")
    if not answer:
        proxy.close()
        proxy = make_proxy(started, scheme, certificate)
        proxy._serve = lambda client: client.recv(4096)  # type: ignore[method-assign]
    text = failure(dialer_through(proxy.url(scheme, "us3r:s3cret" if scheme == "http" else "")), "https://up.test")
    assert text.startswith("no connection to up.test: the proxy on the gateway's way out: ")
    assert says in text
    assert str(proxy.port) not in text
    assert "s3" not in text


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
@pytest.mark.parametrize("login", ["", "someone:else"])
@pytest.mark.parametrize("to", ["http", "https"])
def test_a_wrong_login_is_told(started: list[Any], certificate: Path, scheme: str, login: str, to: str) -> None:
    """A proxy that wants another login, or one at all, is told as that, and its 407 reaches no caller."""
    proxy = make_proxy(started, scheme, certificate, login=LOGIN)
    text = failure(dialer_through(proxy.url(scheme, login)), f"{to}://up.test")
    assert "the proxy on the gateway's way out" in text
    assert "user name and password" in text


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_proxy_that_is_not_there_is_told(resolves_here: dict[str, list[str]], scheme: str) -> None:
    """A proxy that refuses connections, or whose name is not known, is named as the one who does."""
    resolves_here["up.test"] = ["127.0.0.1"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "way out: Connection refused" in failure(dialer_through(f"{scheme}://127.0.0.1:{port}"), "https://up.test")
    assert "way out: Name or service" in failure(dialer_through(f"{scheme}://no.test"), "https://up.test")


@pytest.mark.parametrize(
    ("scheme", "says"), [("http", "did not answer"), ("socks5h", "did not answer"), ("https", "TLS handshake")]
)
def test_a_silent_proxy_has_the_connect_timeout(scheme: str, says: str) -> None:
    """The connect timeout covers what the proxy has to say, and the 502 tells for what it waited."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dialer = dialer_through(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")
        upstream = at("https://up.test")
        with pytest.raises(UpstreamFault, match=f"{says}.* within 0.2 s"):
            dialer.dial(upstream, 0.2, dialer.way_to(upstream))


def test_the_proxys_certificate_is_checked(started: list[Any], certificate: Path) -> None:
    """TLS to the proxy stands under the same rules as TLS to an upstream."""
    proxy = make_proxy(started, "https", certificate)
    text = failure(dialer_through(proxy.url("https")), "https://up.test")
    assert "the proxy on the gateway's way out: the issuer of its certificate is unknown" in text
    assert proxy.asked == []


# --- the egress guard ---


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "target",
    ["http://10.0.0.1", "https://169.254.169.254", "http://[fd00::1]", "http://evil.test", "http://up.test:81"],
)
def test_what_the_guard_can_know_it_judges(
    started: list[Any], certificate: Path, resolves_here: dict[str, list[str]], scheme: str, target: str
) -> None:
    """Literal addresses, names that are denied, and ports that pages may not ask for never reach the proxy."""
    resolves_here["up.test"] = ["1.1.1.1"]
    proxy = make_proxy(started, scheme, certificate)
    proxies = parse_forward_proxies({"ALL_PROXY": proxy.url(scheme)})
    egress = EgressPolicy(deny=parse_entries("evil.test"))
    dialer = Dialer(egress, OwnAddress("127.0.0.1", 0), proxies=proxies)
    upstream = at(target, from_caller=True)
    with pytest.raises(AddressRefused):
        dialer.dial(upstream, 5, dialer.way_to(upstream))
    with pytest.raises(AddressRefused):
        dialer.check(upstream)
    assert proxy.asked == []


def test_names_that_are_resolved_here_are_judged_by_their_addresses(
    started: list[Any], certificate: Path, resolves_here: dict[str, list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    """With socks5 a name that leads into the private network is refused, as without a proxy."""
    resolves_here["up.test"] = ["10.1.2.3"]
    proxy = make_proxy(started, "socks5", certificate)
    dialer = dialer_through(proxy.url("socks5"))
    upstream = at("https://up.test")
    with caplog.at_level(logging.WARNING), pytest.raises(AddressRefused, match="private"):
        dialer.dial(upstream, 5, dialer.way_to(upstream))
    assert "10.1.2.3" in caplog.text
    assert proxy.asked == []
