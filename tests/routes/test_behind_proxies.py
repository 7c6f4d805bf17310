"""Behind reverse proxies: every door takes the client's address from the same place, and none tells what they say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
import redis

from app.config import load_config
from app.gateway import build_gateway
from app.storage.connections import ADMIN_FAILURES
from app.wire.http.headers import outbound
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Peer, Upstream


@pytest.fixture(scope="module")
def behind(redis_url: str) -> Iterator[GatewayProcess]:
    gateway = GatewayProcess(redis_url, {"TRUSTED_PROXY_COUNT": "1", "EGRESS_PORTS": "*"}).start()
    yield gateway
    gateway.stop()


@pytest.fixture(autouse=True)
def forgive(redis_client: redis.Redis) -> Iterator[None]:
    yield
    for key in redis_client.scan_iter(ADMIN_FAILURES + "*"):
        redis_client.delete(key)


def try_token(gateway: GatewayProcess, path: str, forwarded_for: str) -> int:
    sent = {"Authorization": "Bearer a guess", "X-Forwarded-For": forwarded_for}
    return gateway.request("GET", path, headers=sent).status


def test_the_line_of_a_mapped_call_names_the_client(behind: GatewayProcess, upstream: Upstream) -> None:
    """And not the proxy; of several fields the last one counts."""
    behind.map("/up", upstream.url)
    head = b"GET /up/ HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 203.0.113.77:50001\r\n"
    answer = behind.raw(head + b"Connection: close\r\n\r\n")
    request_id = re.search(rb"(?i)x-request-id: (\w+)", answer)
    assert request_id is not None
    named = f"request_id={request_id[1].decode()}"
    [line] = (line for line in behind.log_with(named).splitlines() if named in line)
    assert " client=203.0.113.77 " in line


def test_the_audit_names_the_client(behind: GatewayProcess, upstream: Upstream) -> None:
    sent = {"Authorization": f"Bearer {behind.admin_token}", "Content-Type": "application/json"}
    said = json.dumps({"prefix": "/audited", "target": upstream.url})
    reply = behind.request("POST", "/api/mappings", said, sent | {"X-Forwarded-For": "1.1.1.1, 203.0.113.44:50001"})
    assert reply.status == 201
    behind.admin("DELETE", "/api/mappings/audited")
    assert "add_mapping of mapping /audited by 203.0.113.44 (bearer)" in behind.settled_log()


@pytest.mark.parametrize("path", ["/api/mappings", "/proxy/https://a.example/"])
def test_a_port_or_a_spelling_gets_round_no_lock(behind: GatewayProcess, path: str) -> None:
    """Azure writes the client's port, which is new with each connection."""
    for port in range(5):
        assert try_token(behind, path, f"203.0.113.9:{50_000 + port}") == 401
    assert try_token(behind, path, '"203.0.113.9:1"') == 429
    assert try_token(behind, path, "203.0.113.8") == 401
    for host in range(5):
        assert try_token(behind, path, f"[2001:db8:0:7::{host}]:{50_000 + host}") == 401
    assert try_token(behind, path, "2001:DB8:0:7:0::99") == 429


@pytest.mark.own_server("uwsgi")  # which tells none from the other: the proxy before it must drop such names
def test_a_name_with_an_underscore_passes_for_no_other(behind: GatewayProcess) -> None:
    """CGI's rule would make `X_Forwarded_For`, which proxies pass on, the last word on the client's address."""
    for number in range(6):
        sent = {
            "Authorization": "Bearer a guess",
            "X-Forwarded-For": "203.0.113.71",
            "X_Forwarded_For": f"1.1.1.{number}",
        }
        assert behind.request("GET", "/api/mappings", headers=sent).status == (401 if number < 5 else 429)


def test_garbage_is_the_proxys_own_address(behind: GatewayProcess) -> None:
    """What cannot be read as an address gives nobody an account of his own for guesses."""
    for number in range(5):
        assert try_token(behind, "/api/mappings", f"garbage{number}") == 401
    assert try_token(behind, "/api/mappings", "other garbage") == 429


def test_wrong_tries_and_locks_are_logged(behind: GatewayProcess) -> None:
    """With the client's address and without what was tried; one line for a lock, however often it is met."""
    for _ in range(5):
        assert try_token(behind, "/api/mappings", "203.0.113.60:1") == 401
    for _ in range(3):
        assert try_token(behind, "/api/mappings", "203.0.113.60:1") == 429
    said = "logins from 203.0.113.60 are locked for 15 minutes"
    told = behind.settled_log(said)
    for number in range(1, 6):
        assert (
            told.count(f"WARNING app.storage.admin_access: wrong admin token from 203.0.113.60: try {number} of 5") == 1
        )
    assert told.count(said) == 1
    assert "Bearer" not in told
    assert "guess" not in told


def test_a_ticket_is_good_whatever_port_its_client_comes_from(behind: GatewayProcess, upstream: Upstream) -> None:
    """And for nobody else."""
    login = json.dumps({"token": behind.admin_token})
    reply = behind.request("POST", "/api/admin/login", login, {"Content-Type": "application/json"})
    cookie = next(value for name, value in reply.fields if value.startswith("api_proxy_web=")).partition(";")[0]
    path = f"/proxy/{upstream.url}/"
    led = behind.request("GET", path, headers={"Cookie": cookie, "X-Forwarded-For": "203.0.113.9:50001"})
    ticket_path = led.field("location") or ""
    assert ticket_path.startswith("/proxy/~")
    for client, status in (("203.0.113.9:50002", 200), ("203.0.113.9", 200), ("203.0.113.10:50001", 401)):
        assert behind.request("GET", ticket_path, headers={"X-Forwarded-For": client}).status == status


HOPS = {"X-Forwarded-For": "203.0.113.9", "Via": "1.1 front", "X-Real-IP": "203.0.113.9", "X-Forwarded-Proto": "https"}


def told(gateway: GatewayProcess, sent: dict[str, str]) -> set[str]:
    """What of these the upstream behind `/up` is told."""
    fields = gateway.request("GET", "/up/", headers=sent).json()["fields"]
    names = {name.lower() for name, _ in fields}  # plain WSGI tells no spelling
    return {name for name in sent if name.lower() in names}


def test_what_a_proxy_says_of_us_stays_here(
    behind: GatewayProcess, gateway: GatewayProcess, upstream: Upstream
) -> None:
    """With a trusted proxy nothing of it goes on; from a direct client all does, but what only a CDN adds."""
    behind.map("/up", upstream.url)
    assert told(behind, HOPS) == set()
    assert told(gateway, HOPS) == HOPS.keys()
    assert told(gateway, HOPS | {"CF-Connecting-IP": "203.0.113.9"}) == set()


@pytest.mark.parametrize(
    ("environ", "passes"),
    [
        ({"FORWARDED_FIELDS": "pass", "TRUSTED_PROXY_COUNT": "1"}, True),
        ({"FORWARDED_FIELDS": "drop"}, False),
        ({"TRUSTED_PROXY_COUNT": "1"}, False),
        ({}, True),
    ],
)
def test_the_operator_decides_otherwise(environ: dict[str, str], passes: bool) -> None:
    """FORWARDED_FIELDS says it for all; what only a CDN adds stays here in any case."""
    gateway = build_gateway(load_config({"REDIS_URL": "redis://127.0.0.1:1", **environ}))
    asked = [("Host", "x"), *HOPS.items()]
    forwarded_fields = gateway.engine.forwarded_fields
    assert (outbound(asked, "x", "", forwarded_fields)[1:] == asked[1:]) == passes
    assert len(outbound([*asked, ("CF-Ray", "1")], "x", "", forwarded_fields)) < len(asked) + 1


def test_a_websocket_says_no_more_than_a_call(gateway: GatewayProcess, upstream: Upstream) -> None:
    """The request for the switch goes the same way."""

    def serve(peer: Peer) -> None:
        peer.read_head()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")

    upstream.handler = serve
    head = b"GET /up/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Forwarded-For: 1.1.1.1\r\n"
    assert b" 101 " in gateway.raw(head + b"CF-Visitor: x\r\nX-Mine: 1\r\n\r\n")
    names = {name.lower() for name, _ in upstream.seen[-1].fields}
    assert names == {"host", "connection", "upgrade", "x-mine"}


def test_a_web_page_is_asked_for_without_it(behind: GatewayProcess, upstream: Upstream) -> None:
    """Here nothing of it is a client's own."""
    sent = HOPS | dict.fromkeys(("CDN-Loop", "X-Request-Start", "Fly-Region", "X-Vercel-Id", "X-Amzn-Trace-Id"), "1")
    own = {"Proxy-Authorization": f"Bearer {behind.admin_token}", "X-Mine": "1"}
    assert behind.request("GET", f"/proxy/{upstream.url}/", headers=sent | own).status == 200
    names = {name for name, _ in upstream.seen[-1].fields}
    assert names & (sent | own).keys() == {"X-Mine"}
