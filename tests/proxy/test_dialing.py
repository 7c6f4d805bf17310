"""What is dialled is what was checked: with real sockets, and a resolver that can change its mind."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from threading import Thread
from typing import Any

import gevent
import pytest
import redis

from app.config import load_config
from app.core import model
from app.core.errors import AddressRefused, UpstreamFault
from app.core.network.egress import EgressPolicy, parse_entries, parse_ports
from app.gateway import build_gateway
from app.proxy.messages import RequestBody
from app.proxy.upstream.dialing import Dialer, OwnAddress
from app.proxy.upstream.transport import OutboundRequest, Transport
from app.storage.connections import MAPPINGS
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream

NOWHERE = OwnAddress("127.0.0.1", 0)


class Resolver:
    """Answers each name with the next of its answers, and says what it was asked for."""

    def __init__(self, system: Any) -> None:
        self.answers: list[list[str]] = []
        self.asked: list[str] = []
        self._system = system

    def getaddrinfo(self, host: Any, port: Any, *rest: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        self.asked.append(name)
        try:
            ip_address(name)
        except ValueError:
            found = [self._system.getaddrinfo(address, port, *rest) for address in self.answers.pop(0)]
            return [info for infos in found for info in infos]
        return self._system.getaddrinfo(host, port, *rest)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """Stands where every look-up of every gevent socket goes through."""
    hub = gevent.get_hub()
    resolver = Resolver(hub.resolver)
    monkeypatch.setattr(hub, "resolver", resolver)
    return resolver


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Listens at all IPv4 addresses of the machine; `accept` does not wait."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        server.setblocking(False)
        yield server


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def policy(allow: str = "", deny: str = "", ports: str = "") -> EgressPolicy:
    return EgressPolicy(parse_entries(allow), parse_entries(deny), parse_ports(ports))


def at(host: str, port: int, scheme: str = "http", *, from_caller: bool = False) -> model.Upstream:
    return model.Upstream(scheme, host, port, f"{host}:{port}", "", from_caller=from_caller)


def was_dialled(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def test_a_resolver_that_changes_its_mind_gains_nothing(resolver: Resolver, listener: socket.socket) -> None:
    """A name is resolved once for each connection and the address that was checked is dialled, whatever comes next."""
    resolver.answers = [["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1"]]
    dialer = Dialer(policy("127.0.0.1"), NOWHERE)
    upstream = at("x.example", port_of(listener))
    sock = dialer.dial(upstream, 5)
    assert sock.getpeername()[0] == "127.0.0.1"
    assert resolver.asked == ["x.example"]
    assert was_dialled(listener)
    with pytest.raises(AddressRefused):
        dialer.dial(upstream, 5)
    assert resolver.asked == ["x.example"] * 2
    assert not was_dialled(listener)
    sock.close()


def test_a_name_with_one_refused_address_is_not_dialled(resolver: Resolver, listener: socket.socket) -> None:
    """Among several addresses one that may not be dialled refuses all, wherever it stands."""
    dialer = Dialer(policy("127.0.0.1"), NOWHERE)
    for addresses in (["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"]):
        resolver.answers = [addresses]
        with pytest.raises(AddressRefused):
            dialer.dial(at("x.example", port_of(listener)), 5)
    assert not was_dialled(listener)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "a.localhost", "evil.example", "EVIL.example."])
def test_the_resolver_hears_of_no_name_that_is_refused(resolver: Resolver, listener: socket.socket, host: str) -> None:
    """A localhost name, or one that EGRESS_DENY holds, is refused in any spelling and not even looked up."""
    with pytest.raises(AddressRefused):
        Dialer(policy(deny="evil.example"), NOWHERE).dial(at(host, port_of(listener)), 5)
    assert not resolver.asked
    assert not was_dialled(listener)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "0.0.0.0", "2130706433", "0x7f.1", "0177.1", "127.1", "::ffff:127.0.0.1", "fe80::1%lo"]
)
def test_an_address_in_any_spelling_is_refused(listener: socket.socket, host: str) -> None:
    """Decimal, octal, hexadecimal, short and mapped spellings of an address, and zone ids, are refused."""
    with pytest.raises(AddressRefused) as caught:
        Dialer(policy(), NOWHERE).dial(at(host, port_of(listener)), 5)
    assert (caught.value.status, caught.value.code) == (403, "address_refused")
    assert not was_dialled(listener)


def test_a_refusal_is_one_line_in_the_log(resolver: Resolver, caplog: pytest.LogCaptureFixture) -> None:
    """The log gets host, address and reason once, and no path; the caller is not told the address."""
    resolver.answers = [["10.11.12.13"]]
    upstream = model.Upstream("http", "x.example", 80, "x.example", "/secret")
    with caplog.at_level(logging.INFO), pytest.raises(AddressRefused) as caught:
        Dialer(policy(), NOWHERE).dial(upstream, 5)
    [record] = caplog.records
    line = record.getMessage()
    assert all(word in line for word in ("address_refused", "x.example", "10.11.12.13", "private", "port 80"))
    assert "secret" not in line
    assert "x.example is not public" in caught.value.message
    assert "10.11.12.13" not in caught.value.message


def test_an_international_name_is_asked_for_as_browsers_write_it(resolver: Resolver) -> None:
    """A name goes to the resolver as its A-label by the URL standard, not by the older IDNA that Python has."""
    resolver.answers = [["10.0.0.1"]]
    with pytest.raises(AddressRefused):
        Dialer(policy(), NOWHERE).dial(at("FAß.example", 80), 5)
    assert resolver.asked == ["xn--fa-hia.example"]


def test_tls_names_the_host_without_its_trailing_dot(resolver: Resolver) -> None:
    """The server name of a TLS handshake has no trailing dot (RFC 6066, 3), though DNS is asked with it."""
    resolver.answers = [["127.0.0.1"]]
    hello: list[bytes] = []

    def hear(server: socket.socket) -> None:
        with server.accept()[0] as peer:
            hello.append(peer.recv(4096))

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=hear, args=(server,))
        thread.start()
        with pytest.raises(UpstreamFault):
            Dialer(policy("127.0.0.1"), NOWHERE).dial(at("name.example.", port_of(server), "https"), 5)
        thread.join()
    assert resolver.asked == ["name.example."]
    assert b"name.example" in hello[0]
    assert b"name.example." not in hello[0]


# --- our own address ---


def addresses_of_this_machine() -> list[str]:
    """Loopback ones, and the one that packets to elsewhere leave from, where there is one."""
    addresses = ["127.0.0.1", "127.9.9.9", "0.0.0.0"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.88.99.1", 9))  # sends nothing
        except OSError:
            return addresses
        return [*addresses, sock.getsockname()[0]]


@pytest.mark.parametrize("listens_at", ["0.0.0.0", "::", "a-name-of-this-machine"])
def test_all_addresses_of_the_machine_lead_to_a_gateway_that_listens_at_all(listens_at: str) -> None:
    """Where HOST is no single address, every address of the machine at our port is ours, and no other port or host."""
    own = OwnAddress(listens_at, 8000)
    for address in addresses_of_this_machine():
        assert own.is_at((address, 8000)), address
        assert not own.is_at((address, 8001)), address
    assert own.is_at(("::ffff:127.0.0.1", 8000, 0, 0))
    assert not own.is_at(("1.1.1.1", 8000))
    assert not own.is_at(("2606:4700::1", 8000, 0, 0))


def test_a_gateway_at_one_address_leaves_the_others_to_their_owners() -> None:
    """Where HOST is one address, only that one is ours, and those that mean it."""
    own = OwnAddress("127.0.0.1", 8000)
    for address in ("127.0.0.1", "0.0.0.0", "::ffff:127.0.0.1", "::"):
        assert own.is_at((address, 8000)), address
    assert not own.is_at(("127.0.0.2", 8000))
    assert OwnAddress("::1", 8000).is_at(("::1", 8000, 0, 0))


def test_a_mapping_to_the_gateway_itself_is_refused(
    start_gateway: Callable[..., GatewayProcess], redis_client: redis.Redis
) -> None:
    """A mapping that leads back to our own HOST and PORT is refused when made and when asked, though all is allowed."""
    gateway = start_gateway(HOST="0.0.0.0", EGRESS_ALLOW="0.0.0.0/0,::/0,localhost", EGRESS_PORTS="*")
    for address in [*addresses_of_this_machine(), "localhost"]:
        target = f"http://{address}:{gateway.port}"
        made = gateway.admin("POST", "/api/mappings", {"prefix": "/loop", "target": target})
        assert (made.status, "itself" in made.json()["error"]) == (400, True), address
        redis_client.hset(MAPPINGS, "/loop", target)
        gateway.admin("POST", "/api/mappings/reload")
        asked = gateway.request("GET", "/loop/health")
        assert (asked.status, asked.json()["error"]["code"]) == (403, "address_refused"), address
    redis_client.hdel(MAPPINGS, "/loop")


# --- ports, and kept connections ---


def ask(transport: Transport, upstream: model.Upstream) -> int:
    request = OutboundRequest(upstream, "GET", "/", [("Host", upstream.authority)], RequestBody(0))
    exchange = transport.send(request)
    exchange.read_at_hand()
    while exchange.read1(65536):
        pass
    exchange.close()
    return exchange.answer.status


def test_a_page_uses_no_connection_that_was_opened_for_a_mapping() -> None:
    """A port that only the operator may choose is closed to a caller, though a mapping's connection to it idles."""
    upstream = Upstream()
    transport = Transport(Dialer(policy("127.0.0.1"), NOWHERE))
    try:
        for _ in range(2):
            assert ask(transport, at("127.0.0.1", upstream.port)) == 200
        assert [seen.connection for seen in upstream.seen] == [1, 1], "it was not kept"
        with pytest.raises(AddressRefused, match="EGRESS_PORTS"):
            ask(transport, at("127.0.0.1", upstream.port, from_caller=True))
        assert len(upstream.seen) == 2
    finally:
        transport.close()
        upstream.close()


@pytest.mark.parametrize("rules", [{"ports": "*"}, {"allow": "127.0.0.1:{port}"}])
def test_the_operator_opens_a_port_to_callers(listener: socket.socket, rules: dict[str, str]) -> None:
    """EGRESS_PORTS, or an entry of EGRESS_ALLOW with the port, opens an unusual port to web pages."""
    rules = {"allow": "127.0.0.1"} | {name: text.format(port=port_of(listener)) for name, text in rules.items()}
    Dialer(policy(**rules), NOWHERE).dial(at("127.0.0.1", port_of(listener), from_caller=True), 5).close()
    assert was_dialled(listener)


def test_the_variables_reach_the_guard() -> None:
    """EGRESS_ALLOW, EGRESS_DENY, EGRESS_PORTS, HOST and PORT of the environment are what the dialer obeys."""
    variables = {"EGRESS_ALLOW": "127.0.0.0/8", "EGRESS_DENY": "127.0.0.2", "EGRESS_PORTS": "90-91", "PORT": "91"}
    gateway = build_gateway(load_config({"REDIS_URL": "redis://127.0.0.1:1", **variables}))
    try:
        gateway.dialer.check(at("127.0.0.1", 90, from_caller=True))
        for host, port in (("127.0.0.2", 90), ("127.0.0.1", 89), ("127.0.0.1", 91), ("10.0.0.1", 90)):
            with pytest.raises(AddressRefused):
                gateway.dialer.check(at(host, port, from_caller=True))
    finally:
        gateway.engine.transport.close()
