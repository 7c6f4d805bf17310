"""A call through the gateway is counted: from the wire to /stats, with a real worker in between."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.storage.embedded import EmbeddedRedis
from tests.support.environ import clean_environ
from tests.support.gateway import ROOT, GatewayProcess
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def worker(redis_url: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-m", "worker"], cwd=ROOT, env=clean_environ(REDIS_URL=redis_url))
    yield process
    process.terminate()
    process.wait(timeout=10)


def row(gateway: GatewayProcess, prefix: str) -> dict:
    return gateway.request("GET", "/stats").json()["endpoints"].get(prefix, {})


@pytest.mark.timing
def test_calls_are_counted_within_two_seconds(
    gateway: GatewayProcess, upstream: Upstream, worker: subprocess.Popen[bytes]
) -> None:
    """Good calls, errors of the upstream, broken bodies and clients that left: each counts as it must."""
    gateway.map("/counted", upstream.url)
    wait_until(lambda: not gateway.request("GET", "/stats").json()["stale"], "the worker is up")
    before = row(gateway, "/counted")["count"]

    def handler(peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            if seen.target == "/broken":
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
                return
            if seen.target == "/hang":
                peer.wait_closed()
                return
            peer.answer(b"12345", "500 Oops" if seen.target == "/bad" else "200 OK")

    upstream.handler = handler
    gateway.request("POST", "/counted/good", b"123")
    gateway.request("GET", "/counted/bad")
    with gateway.connect() as sock:
        sock.sendall(b"GET /counted/broken HTTP/1.1\r\nHost: g\r\n\r\n")
        while sock.recv(1000):
            pass
    with gateway.connect() as sock:
        sock.sendall(b"GET /counted/hang HTTP/1.1\r\nHost: g\r\n\r\n")
        wait_until(lambda: any(seen.target == "/hang" for seen in upstream.seen), "the call is there")
    ended = time.monotonic()
    wait_until(lambda: row(gateway, "/counted")["count"] == before + 4, "all four are counted", timeout_s=5)
    assert time.monotonic() - ended < 2.0

    told = gateway.request("GET", "/stats").json()
    assert told["endpoints"]["/counted"]["error_count"] == 2
    window = told["windows"]["24h"]["endpoints"]["/counted"]
    assert (window["requests"], window["errors"]) == (4, 2)
    assert (window["request_bytes"], window["response_bytes"]) == (3, 5 + 5 + 4)
    assert sum(window["series"]["requests"]) == 4
    assert told["performance"]["processes"] >= 1
    assert told["performance"]["memory_usage_mb"] > 10
    assert gateway.request("GET", "/health").json()["worker"]["alive"] is True

    def panel() -> dict:
        return gateway.request("GET", "/stats/1h?endpoint=/counted").json()

    wait_until(lambda: panel()["traffic"]["figures"]["requests"] == 4, "its own figures are told", timeout_s=15)
    shown = panel()
    outcomes = {name: count for name, count in shown["traffic"]["figures"]["outcomes"].items() if count}
    assert outcomes == {"ok": 1, "server_errors": 2, "client_gone": 1}
    assert {name: sum(line) for name, line in shown["traffic"]["chart"]["outcomes"].items()} == outcomes
    problems = [one for one in shown["problems"] if one["endpoint"] == "/counted"]
    assert [(one["status"], one["code"]) for one in problems] == [(200, "upstream_reset"), (500, "server_error")]
    assert all(re.fullmatch(r"[0-9a-f]{32}", one["request_id"]) for one in problems)


def test_calls_in_flight_are_told(gateway: GatewayProcess, upstream: Upstream, worker: subprocess.Popen[bytes]) -> None:
    """A call is in flight from its begin until its last byte, and its peak stays in the chart."""
    gateway.map("/flying", upstream.url)
    upstream.handler = lambda peer: peer.read_request() and peer.wait_closed(60)

    def in_flight() -> dict:
        return gateway.request("GET", "/stats/1h").json()["in_flight"]

    with gateway.connect() as one, gateway.connect() as other:
        for sock in (one, other):
            sock.sendall(b"GET /flying/x HTTP/1.1\r\nHost: g\r\n\r\n")
        wait_until(lambda: in_flight()["now"] == 2, "both are in flight", timeout_s=15)
        wait_until(lambda: in_flight()["highest"] >= 2, "the worker has seen it", timeout_s=15)
    wait_until(lambda: in_flight()["now"] == 0, "they are gone", timeout_s=15)
    assert max(in_flight()["points"][-3:]) >= 2


def test_the_worker_names_the_request_that_it_counts(
    tmp_path: Path, upstream: Upstream, own_server: EmbeddedRedis, own_redis: object
) -> None:
    """At DEBUG the worker's line bears the request id and trace id of the call, to follow it to its end.

    In a Redis of its own: of thousands of events that others left, more lines come at once than a log's queue holds.
    """
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    environ = clean_environ(REDIS_URL=own_server.url, LOG_LEVEL="DEBUG")
    gateway = GatewayProcess(own_server.url).start()
    with (tmp_path / "worker.log").open("w+") as log:
        process = subprocess.Popen([sys.executable, "-m", "worker"], cwd=ROOT, env=environ, stderr=log)
        try:
            gateway.map("/named", upstream.url)
            reply = gateway.request("GET", "/named/x", headers={"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"})
            wanted = f"request_id={reply.field('x-request-id')} trace_id={trace_id}"
            wait_until(lambda: wanted in Path(log.name).read_text(), "the worker names it", timeout_s=30)
        finally:
            gateway.stop()
            process.terminate()
            process.wait(timeout=10)


def test_switched_off_means_no_events(start_gateway: Callable[..., GatewayProcess], upstream: Upstream) -> None:
    """With ENABLE_STATS=false calls pass, nothing is pushed, and /stats says that it is off."""
    quiet = start_gateway(ENABLE_STATS="false")
    quiet.map("/quiet", upstream.url)
    assert quiet.request("GET", "/quiet/x").status == 200
    told = quiet.request("GET", "/stats").json()
    assert (told["enabled"], told["endpoints"]["/quiet"]["count"]) == (False, 0)


def test_the_last_events_are_sent_at_the_end(
    start_gateway: Callable[..., GatewayProcess], upstream: Upstream, worker: subprocess.Popen[bytes]
) -> None:
    """A gateway that is stopped right after a call still counts it."""
    short = start_gateway()
    short.map("/last", upstream.url)
    assert short.request("GET", "/last/x").status == 200
    assert short.stop() == 0
    other = start_gateway()
    wait_until(lambda: row(other, "/last").get("count") == 1, "the call is counted")
