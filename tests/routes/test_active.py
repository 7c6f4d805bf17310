"""Calls that have not ended, of all processes, and how the operator ends one."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.support.api_calls import BEARER, TOKEN, Accounts
from tests.support.gateway import GatewayProcess, receive_all
from tests.support.own_redis import running_redis
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until
from tests.support.websocket_upstream import HANDSHAKE, SWITCH

TEXT = b'data: {"choices": [{"delta": {"content": "hi"}}]}\n\n'
CHAT = json.dumps({"model": "m", "stream": True})


class Held:
    """An upstream whose answers stop where the path or body says, until the gateway closes."""

    def __init__(self) -> None:
        self.closed_s: dict[int, float] = {}
        """When it saw which connection closed, by time.monotonic()."""
        self.upstream = Upstream(self._serve)

    def _serve(self, peer: Peer) -> None:
        seen = peer.read_head()
        if seen is None:
            return
        if seen.field("upgrade"):
            peer.send(SWITCH)
        elif seen.target.endswith(("/streams", "/completions")):
            peer.begin_stream()
            peer.send_chunk(TEXT)
        peer.wait_closed(30)
        self.closed_s[peer.number] = time.monotonic()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway of two web processes, whose calls alone are counted."""
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        gateway = GatewayProcess(
            server.url, {"AUTH_KEY": TOKEN, "WEB_CONCURRENCY": "2", "WEB_PROXY": "open", "EGRESS_PORTS": "*"}
        ).start()
        yield gateway
        gateway.stop()


@contextmanager
def calling(gateway: GatewayProcess, method: str, path: str, body: str | None = None) -> Iterator[Any]:
    """A call that goes on: a function that gives its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    connection.request(method, path, body, BEARER)
    try:
        yield connection.getresponse
    finally:
        connection.close()


def active(gateway: GatewayProcess, count: int, *states: str) -> list[dict[str, Any]]:
    """What goes on, as soon as it is so many, all in one of the states."""

    def found() -> Any:
        answer = gateway.admin("GET", "/api/active").json()
        are_there = answer["count"] == count and all(
            call["state"] in (states or call["state"]) for call in answer["active"]
        )
        return answer if are_there else None

    return list(wait_until(found, f"{count} calls go on")["active"])


def end(gateway: GatewayProcess, id: str) -> float:
    """Ends a call; when that was asked for, by time.monotonic()."""
    asked_s = time.monotonic()
    reply = gateway.admin("DELETE", f"/api/active/{id}")
    assert (reply.status, reply.json()) == (200, {"success": True, "id": id})
    return asked_s


@pytest.fixture(scope="module")
def held_calls(two: GatewayProcess) -> Iterator[Held]:
    held = Held()
    two.map("/held", held.upstream.url)
    Accounts(two, held.upstream).add("one", ["sk-first-0001"])
    asked = ("GET", "/v1/models/m", None, BEARER)
    wait_until(lambda: all(two.request(*asked).status == 200 for _ in range(20)), "both processes know it")
    yield held
    held.upstream.close()


def test_calls_of_all_processes_are_listed_and_paged(two: GatewayProcess, held_calls: Held) -> None:
    """Newest first, each once, whichever process is asked; each says which process has it."""
    with ExitStack() as stack:
        calls: list[dict[str, Any]] = []
        while len(calls) < 6 or len({call["process"] for call in calls}) < 2:  # who takes one is the kernel's choice
            stack.enter_context(calling(two, "GET", "/held/waits"))
            calls = active(two, len(calls) + 1)
        assert {(call["mapping"], call["state"], call["stream"]) for call in calls} == {("/held", "waiting", False)}
        places = [(call["started_at_ms"], call["id"]) for call in calls]
        assert places == sorted(places, reverse=True)
        first = two.admin("GET", "/api/active?limit=5").json()
        second = two.admin("GET", f"/api/active?limit=500&after={first['next']}").json()
        assert (first["count"], second["count"], second["next"]) == (len(calls), len(calls), None)
        assert [call["id"] for call in first["active"] + second["active"]] == [call["id"] for call in calls]
    active(two, 0)


def test_a_call_that_waits_is_ended_with_an_error(two: GatewayProcess, held_calls: Held) -> None:
    """503, not to be tried again; on mappings in their shape."""
    with calling(two, "GET", "/held/waits") as answered:
        [call] = active(two, 1)
        end(two, call["id"])
        reply = answered()
        assert reply.status == 503
        assert (reply.headers["x-gateway-error"], reply.headers["x-should-retry"]) == ("ended_by_operator", "false")
        assert json.loads(reply.read())["error"]["code"] == "ended_by_operator"
    active(two, 0)


def test_a_stream_of_a_channel_is_ended_in_band(two: GatewayProcess, held_calls: Held) -> None:
    """What the client has stays; behind it an event tells the error, in its dialect. The log names nobody to blame."""
    with calling(two, "POST", "/v1/chat/completions", CHAT) as answered:
        reply = answered()
        assert reply.read1() == TEXT
        [call] = active(two, 1, "streaming")
        said = {name: call[name] for name in ("channel", "model", "stream", "bytes", "attempts", "token", "mapping")}
        assert said == {
            "channel": "one", "model": "m", "stream": True, "bytes": len(TEXT), "attempts": 1,
            "token": "AUTH_KEY #1", "mapping": None,
        }  # fmt: skip
        end(two, call["id"])
        last = reply.read()
        assert json.loads(last.removeprefix(b"data: ").partition(b"\n")[0])["error"]["code"] == "ended_by_operator"


def test_an_unknown_call_is_404(two: GatewayProcess) -> None:
    """So is one that has ended meanwhile."""
    reply = two.admin("DELETE", "/api/active/0123")
    assert (reply.status, reply.json()["code"]) == (404, "not_found")


KINDS = {
    "waits": b"GET /held/waits HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n",
    "streams": b"GET /held/streams HTTP/1.1\r\nHost: g\r\n\r\n",
    "uploads": b"POST /held/waits HTTP/1.1\r\nHost: g\r\nContent-Length: 900000\r\n\r\nhalf",
    "switched": b"GET /held/socket HTTP/1.1\r\n" + HANDSHAKE + b"\r\n",
    "page": b"GET /proxy/%b/streams HTTP/1.1\r\nHost: g\r\n\r\n",
}
ANSWERS = {"waits": b"HTTP/1.1 503 ", "uploads": b"HTTP/1.1 503 ", "switched": b"HTTP/1.1 101 "}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.timing
def test_the_upstream_sees_the_end_at_once(two: GatewayProcess, held_calls: Held, kind: str) -> None:
    """Within 100 ms of the request that ends the call, whatever sort of call it is and whichever process has it."""
    request = KINDS[kind]
    if kind == "page":
        request %= held_calls.upstream.url.encode()
    took_s = sorted(_ended_after(two, held_calls, kind, request) for _ in range(5))
    assert took_s[2] < 0.1, took_s  # of single ones the machine may be to blame


def _ended_after(two: GatewayProcess, held: Held, kind: str, request: bytes) -> float:
    """How long after the request that ends it the upstream of a call saw that, in seconds."""
    asked_before = len(held.upstream.seen)
    state = "waiting" if kind in ("waits", "uploads") else "streaming"
    with two.connect() as sock:
        sock.sendall(request)
        [call] = active(two, 1, state)
        assert call["mapping"] == ("/proxy" if kind == "page" else "/held")
        wait_until(lambda: len(held.upstream.seen) > asked_before, "it is asked")
        began_s = end(two, call["id"])
        number = held.upstream.seen[asked_before].connection
        closed_s = wait_until(lambda: held.closed_s.get(number), "the upstream sees it", pause_s=0.001)
        answer = receive_all(sock)
    assert answer.startswith(ANSWERS.get(kind, b"HTTP/1.1 200 "))
    assert not answer.endswith(b"\r\n0\r\n\r\n")  # what breaks is not taken for whole
    active(two, 0)
    return float(closed_s - began_s)


def test_a_call_whose_client_reads_nothing_is_ended(two: GatewayProcess, held_calls: Held) -> None:
    """Its process waits for the client and not for the upstream, whose connection is closed all the same."""
    closed: list[int] = []
    flood = Upstream(lambda peer: _flood(peer, closed))
    two.map("/flood", flood.url)
    newest = max(versions(two))
    wait_until(lambda: set(versions(two)) == {newest}, "both processes know it")
    with two.connect() as sock:
        sock.sendall(b"GET /flood/x HTTP/1.1\r\nHost: g\r\n\r\n")
        calls: list[int] = []

        def stands_still() -> bool:
            calls.append(active(two, 1)[0]["bytes"])
            return len(calls) > 5 and len(set(calls[-5:])) == 1 and calls[-1] > 0

        wait_until(stands_still, "nothing goes on", pause_s=0.02)
        end(two, active(two, 1)[0]["id"])
        wait_until(lambda: closed, "the upstream sees it")
    active(two, 0)
    flood.close()


def versions(gateway: GatewayProcess) -> list[int]:
    """Of the catalogue, as whoever answers knows it."""
    return [gateway.request("GET", "/health").json()["version"] for _ in range(20)]


def _flood(peer: Peer, closed: list[int]) -> None:
    """Sends until the gateway closes."""
    peer.read_request()
    peer.begin_stream()
    try:
        while True:
            peer.send_chunk(b"x" * 65536)
    except OSError:
        closed.append(peer.number)


def test_what_the_end_of_a_call_means_stands_in_the_log(two: GatewayProcess, held_calls: Held) -> None:
    """The audit names who ended which call; the request's line has the code, and none is a warning."""
    with calling(two, "GET", "/held/streams") as answered:
        reply = answered()  # whoever lets go of it has left, where a connection serves one request
        id = reply.headers["x-gateway-request-id"]
        end(two, id)
    log = two.log_with(f"end_active of call {id} by 127.0.0.1 (bearer): ", "ended_by_operator")
    said = {"token": "AUTH_KEY #1", "client": "127.0.0.1", "mapping": "/held", "state": "streaming"}
    [act] = [line for line in log.splitlines() if f"end_active of call {id}" in line]
    told = json.JSONDecoder().raw_decode(act.partition("(bearer): ")[2])[0]["before"]
    assert told.pop("started_at_ms") > 0
    assert told.pop("bytes") in (0, len(TEXT))  # the head may go alone
    assert told == said
    assert not [line for line in log.splitlines() if id in line and "WARNING" in line]
