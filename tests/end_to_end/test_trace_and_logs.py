"""Trace ids travel and stand in the log; secrets never do."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator

import pytest

from app.storage.connections import MAPPINGS, Redis
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Peer, Upstream

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture(scope="module")
def in_json(redis_url: str) -> Iterator[GatewayProcess]:
    """One that begins traces, and whose log is JSON; several tests read it, each for its own requests."""
    yield from started(redis_url, LOG_FORMAT="json", START_TRACE="true")


@pytest.fixture(scope="module")
def in_text(redis_url: str) -> Iterator[GatewayProcess]:
    """The same with text, the default."""
    yield from started(redis_url, START_TRACE="true")


def started(redis_url: str, **environ: str) -> Iterator[GatewayProcess]:
    gateway = GatewayProcess(redis_url, environ).start()
    gateway.map("/dead", "http://127.0.0.1:1")
    yield gateway
    gateway.stop()


@pytest.fixture
def upstream(upstream: Upstream, in_json: GatewayProcess, in_text: GatewayProcess) -> Upstream:
    """Known to these processes, too, by the time the test begins."""
    for process in (in_json, in_text):
        process.map("/up", upstream.url)
    return upstream


def lines(log: str) -> list[dict]:
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]


def test_a_callers_trace_is_continued_upstream(gateway: GatewayProcess, upstream: Upstream) -> None:
    """The upstream gets the caller's trace id with a step of ours, in its place, and tracestate as it was."""
    gateway.request("GET", "/up/x", headers={"A-One": "1", "traceparent": SENT, "tracestate": "a=1", "B-Two": "2"})
    seen = upstream.seen[-1]
    names = [name.lower() for name, _ in seen.fields]
    assert names[names.index("a-one") :][:4] == ["a-one", "traceparent", "tracestate", "b-two"]
    assert re.fullmatch(rf"00-{TRACE}-[0-9a-f]{{16}}-01", seen.field("traceparent") or "")
    assert seen.field("traceparent") != SENT
    assert seen.field("tracestate") == "a=1"
    assert sum(name.lower() == "traceparent" for name, _ in seen.fields) == 1


@pytest.mark.parametrize("headers", [{}, {"traceparent": "nonsense"}])
def test_nothing_is_added_unasked(gateway: GatewayProcess, upstream: Upstream, headers: dict[str, str]) -> None:
    """Without a trace to continue the request stays as it is."""
    gateway.request("GET", "/up/x", headers=headers)
    assert upstream.seen[-1].field("traceparent") == headers.get("traceparent")


def test_request_ids_are_in_order_of_time(gateway: GatewayProcess) -> None:
    """They begin with milliseconds since the epoch, so a database that keeps them puts each beside the last one."""
    began_ms = time.time_ns() // 1_000_000
    ids = [gateway.request("GET", path).field("x-request-id") or "" for path in ("/health", "/up/x")]
    ended_ms = time.time_ns() // 1_000_000
    assert all(re.fullmatch(r"[0-9a-f]{32}", id) for id in ids)
    first_ms, second_ms = (int(id[:12], 16) for id in ids)
    assert began_ms <= first_ms <= second_ms <= ended_ms


def test_every_line_of_a_request_bears_its_ids(in_json: GatewayProcess, upstream: Upstream) -> None:
    """Request line and warning of one failed call bear the same request id and trace id; another call's differ."""
    logged = in_json
    with_trace = logged.request("GET", "/dead/x", headers={"traceparent": SENT})
    without = logged.request("GET", "/up/x")
    assert upstream.seen[-1].field("traceparent")
    request_id = with_trace.field("x-request-id")
    said = lines(logged.settled_log(str(without.field("x-request-id"))))
    mine = [line for line in said if line.get("request_id") == request_id]
    assert {line["logger"] for line in mine} == {"request", "app.proxy.engine"}
    assert {line["trace_id"] for line in mine} == {TRACE}
    told = next(line for line in mine if line["logger"] == "request")
    assert (told["mapping"], told["status"], told["error"]) == ("/dead", 502, "upstream_unreachable")
    assert (told["upstream"], told["method"], told["client"], told["attempts"]) == (
        "127.0.0.1:1",
        "GET",
        "127.0.0.1",
        1,
    )
    assert told["duration_ms"] >= 0
    other = next(line for line in said if line.get("request_id") == without.field("x-request-id"))
    assert other["trace_id"] != TRACE
    assert other["response_bytes"] == len(without.body)
    assert other["first_byte_ms"] <= other["duration_ms"]


def test_requests_have_no_line_where_the_operator_wants_none(in_text: GatewayProcess, upstream: Upstream) -> None:
    """`log_requests` counts from the next call on, and errors are told all the same."""
    logged = in_text
    assert logged.admin("PUT", "/api/settings", {"log_requests": False}).status == 200
    silent = logged.request("GET", "/dead/x")
    assert logged.admin("PUT", "/api/settings", {"log_requests": None}).status == 200
    told = logged.request("GET", "/up/x")
    said = logged.settled_log(str(told.field("x-request-id")))
    silent_id, told_id = (f"request_id={reply.field('x-request-id')}" for reply in (silent, told))
    assert silent_id in said
    assert not [line for line in said.splitlines() if silent_id in line and "mapping=/dead" in line]
    assert [line for line in said.splitlines() if told_id in line and "mapping=/up" in line]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_trace_can_be_put_together(request: pytest.FixtureRequest, upstream: Upstream, log_format: str) -> None:
    """The line names the caller's span as its parent, and the upstream is given the span that the line names."""
    logged: GatewayProcess = request.getfixturevalue(f"in_{log_format}")

    def line_of(headers: dict[str, str]) -> str:
        request_id = str(logged.request("GET", "/up/x", headers=headers).field("x-request-id"))
        return next(line for line in logged.log_with(request_id).splitlines() if request_id in line)

    def field(line: str, name: str) -> str | None:
        found = re.search(rf'\b{name}(?:=|":")([0-9a-f]+)', line)
        return found and found[1]

    line = line_of({"traceparent": SENT})
    ours = str(upstream.seen[-1].field("traceparent")).split("-")[2]
    assert (field(line, "trace_id"), field(line, "span_id")) == (TRACE, ours)
    assert field(line, "parent_span_id") == "00f067aa0ba902b7"
    line = line_of({})  # a trace of our own has no parent
    _, trace_id, ours, _ = str(upstream.seen[-1].field("traceparent")).split("-")
    assert (field(line, "trace_id"), field(line, "span_id")) == (trace_id, ours)
    assert field(line, "parent_span_id") is None
    line = line_of({"traceparent": "nonsense"})
    assert "span_id" not in line


def test_attempts_are_counted(
    start_gateway: Callable[..., GatewayProcess], upstream: Upstream, redis_client: Redis
) -> None:
    """One for a call as it should be, two where a stale connection was replaced, none where we refused it."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.answer()
        peer.read_request()  # and closes: the connection was stale

    upstream.handler = handler
    logged = start_gateway(LOG_FORMAT="json", MAX_BODY_BYTES="1")
    expected = []
    for body, attempts in ((None, 1), (None, 2), (b"too long", 0)):
        reply = logged.request("POST" if body else "GET", "/up/x", body)
        expected.append((reply.field("x-request-id"), attempts))
    redis_client.hset(MAPPINGS, "/refused", "http://10.0.0.1")
    logged.admin("POST", "/api/mappings/reload")
    expected.append((logged.request("GET", "/refused/x").field("x-request-id"), 0))
    log = logged.settled_log(*(str(request_id) for request_id, _ in expected))
    told = {line["request_id"]: line["attempts"] for line in lines(log) if line["logger"] == "request"}
    assert [(request_id, told[request_id]) for request_id, _ in expected] == expected


def test_what_was_sent_counts_though_no_answer_came(in_json: GatewayProcess, upstream: Upstream) -> None:
    """A call whose upstream takes the body and closes has its bytes in the log."""
    upstream.handler = lambda peer: peer.read_request()
    reply = in_json.request("POST", "/up/x", b"12345")
    assert reply.status == 502
    request_id = str(reply.field("x-request-id"))
    said = lines(in_json.settled_log(request_id))
    told = [line for line in said if line["logger"] == "request" and line["request_id"] == request_id]
    assert [(line["request_bytes"], line["attempts"]) for line in told] == [(5, 1)]


def test_text_lines_are_the_default(in_text: GatewayProcess, upstream: Upstream) -> None:
    """Without LOG_FORMAT a request is one line of name=value."""
    reply = in_text.request("POST", "/up/x", b"12345")
    request_id = str(reply.field("x-request-id"))
    line = next(line for line in in_text.log_with(request_id).splitlines() if request_id in line)
    assert " INFO request: " in line
    assert " mapping=/up " in line
    assert " status=200 " in line
    assert " request_bytes=5 " in line


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_secrets_never_appear(
    start_gateway: Callable[..., GatewayProcess], upstream: Upstream, redis_client, log_format: str
) -> None:
    """Marked secrets, sent wherever callers put them, are in no log line, no error, no page and no key of Redis."""
    canary = "CANARY0123456789"
    logged = start_gateway(LOG_FORMAT=log_format, LOG_LEVEL="DEBUG", ADMIN_TOKEN=f"{canary}-admin")
    logged.admin_token = f"{canary}-admin"
    logged.map("/dead", "http://127.0.0.1:1")
    secret_headers = {
        "Authorization": f"Bearer {canary}",
        "x-api-key": canary,
        "x-goog-api-key": canary,
        "Cookie": f"session={canary}",
        "Proxy-Authorization": f"Basic {canary}",
    }

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")

    upstream.handler = handler
    answers = []
    for target in ("/up/x", "/dead/x", f"/up/bot{canary}/send", f"/none/x?key={canary}", "/stats", "/health"):
        for method in ("GET", "POST"):
            with logged.connect() as sock:
                fields = "".join(f"{name}: {value}\r\n" for name, value in secret_headers.items())
                query = "" if "?" in target else f"?key={canary}"
                sock.sendall(
                    f"{method} {target}{query} HTTP/1.1\r\nHost: g\r\nConnection: close\r\n{fields}\r\n".encode()
                )
                answer = b""
                while piece := sock.recv(65536):
                    answer += piece
                answers.append(answer)
    logged.raw(f"GET /x HTTP/1.1\r\nHost: g\r\nAuthorization : {canary}\r\n\r\n".encode())
    upgrade = "Host: g\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    for prefix in ("/dead", "/up"):  # as Gemini Live does it
        with logged.connect() as sock:
            sock.sendall(f"GET {prefix}/live?key={canary} HTTP/1.1\r\n{upgrade}\r\n".encode())
            answers.append(sock.recv(65536))
    logged.request(
        "POST", "/api/admin/login", json.dumps({"token": f"{canary}-admin"}), {"Content-Type": "application/json"}
    )
    logged.request("GET", "/api/mappings", headers={"Cookie": f"api_proxy_admin={canary}"})
    log = logged.final_log()
    assert log.count("/dead") >= 2
    assert canary not in log
    assert not [answer for answer in answers if canary.encode() in answer]
    stored = b"".join(redis_client.dump(key) or b"" for key in redis_client.scan_iter("*"))
    assert canary.encode() not in stored
    assert not [key for key in redis_client.scan_iter("*") if canary.encode() in key]
