"""What goes to the upstream and what comes back: methods, targets, fields, bodies."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import threading
import time

import pytest

from tests.support.gateway import GatewayProcess, receive_all
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until


def told(body: bytes) -> dict:
    return json.loads(body)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "QUERY"])
def test_every_method_passes(gateway: GatewayProcess, upstream: Upstream, method: str) -> None:
    """Any method reaches the upstream under its own name."""
    assert told(gateway.request(method, "/up/x").body)["line"] == f"{method} /x HTTP/1.1"


def test_head_has_the_fields_and_no_body(gateway: GatewayProcess, upstream: Upstream) -> None:
    """HEAD is forwarded as HEAD; its answer keeps Content-Length and has no body."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")

    upstream.handler = handler
    reply = gateway.request("HEAD", "/up/x")
    assert (reply.field("content-length"), reply.body) == ("1234", b"")


@pytest.mark.parametrize(
    ("asked", "arrived"),
    [
        ("/up", "/"),
        ("/up/", "/"),
        ("/up?x=1", "/?x=1"),
        ("/up/a%2Fb/c", "/a%2Fb/c"),
        ("/up//double//slash", "//double//slash"),
        ("/up/x?a=b?c&d=%20%zz", "/x?a=b?c&d=%20%zz"),
        (
            "/up/v1beta/models/gemini:streamGenerateContent?alt=sse",
            "/v1beta/models/gemini:streamGenerateContent?alt=sse",
        ),
        ("/up/../../etc", "/../../etc"),
        ("/up/%E4%BD%A0", "/%E4%BD%A0"),
    ],
)
def test_target_arrives_verbatim(gateway: GatewayProcess, upstream: Upstream, asked: str, arrived: str) -> None:
    """What follows the prefix reaches the upstream byte for byte."""
    with gateway.connect() as sock:
        sock.sendall(f"GET {asked} HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n".encode())
        receive_all(sock)
    assert upstream.seen[-1].target == arrived


@pytest.mark.own_server("gevent")  # gunicorn refuses such a target with 400
def test_raw_unicode_target_arrives_verbatim(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Bytes beyond ASCII in a target, which some clients send, arrive as they came."""
    with gateway.connect() as sock:
        sock.sendall("GET /up/你好 HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n".encode())
        receive_all(sock)
    assert upstream.seen[-1].target.encode("latin-1").decode() == "/你好"


def test_base_path_of_target_is_put_before(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A target's own path comes first, and its trailing slash makes no double slash."""
    gateway.map("/based", f"{upstream.url}/api/")
    gateway.request("GET", "/based/v1?x=/")
    assert upstream.seen[-1].target == "/api/v1?x=/"
    gateway.request("GET", "/based")
    assert upstream.seen[-1].target == "/api"


@pytest.mark.own_server  # WSGI's environ is a dict of upper-case names
def test_request_fields_pass_in_order_number_and_spelling(gateway: GatewayProcess, upstream: Upstream) -> None:
    """The upstream sees the caller's fields as they stood, Host its own, nothing hop-by-hop and nothing added."""
    request = (
        b"GET /up/x HTTP/1.1\r\nX-First: 1\r\nHost: gateway\r\naccept-ENCODING: br, gzip\r\nX-Twice: a\r\n"
        b"Cookie: a=1\r\nX-Twice: b\r\nConnection: close, X-Named\r\nX-Named: secret\r\nKeep-Alive: 5\r\nTE: gzip\r\n"
        b"Proxy-Authorization: no\r\nAuthorization: Bearer k\r\nX-Latin: caf\xe9\r\n\r\n"
    )
    gateway.raw(request)
    assert upstream.seen[-1].fields == [
        ("X-First", "1"),
        ("Host", f"127.0.0.1:{upstream.port}"),
        ("accept-ENCODING", "br, gzip"),
        ("X-Twice", "a"),
        ("Cookie", "a=1"),
        ("X-Twice", "b"),
        ("Authorization", "Bearer k"),
        ("X-Latin", "caf\xe9"),
    ]


@pytest.mark.own_server  # gunicorn adds fields of its own; under uWSGI each connection ends, and says so
def test_response_fields_pass_in_order_number_and_spelling(gateway: GatewayProcess, upstream: Upstream) -> None:
    """The client sees the upstream's fields as they stood; only hop-by-hop ones are missing."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.send(
            b"HTTP/1.1 201 Made It\r\nSet-Cookie: a=1\r\nx-lower: 1\r\nSet-Cookie: b=2\r\n"
            b"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"
            b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nX-Request-Id: theirs\r\n"
            b"Content-Length: 2\r\n\r\nok"
        )
        peer.read_head()

    upstream.handler = handler
    reply = gateway.request("GET", "/up/x")
    assert (reply.status, reply.reason) == (201, "Made It")
    assert reply.fields[-1][0] == "X-Gateway-Request-Id"
    assert reply.fields[:-1] == [
        ("Set-Cookie", "a=1"),
        ("x-lower", "1"),
        ("Set-Cookie", "b=2"),
        ("Date", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("X-Request-Id", "theirs"),
        ("Content-Length", "2"),
    ]


def test_own_request_id_where_the_upstream_has_none(gateway: GatewayProcess, upstream: Upstream) -> None:
    """An answer without X-Request-Id gets a new one each time."""
    ids = {gateway.request("GET", "/up/x").field("x-request-id") for _ in range(3)}
    assert len(ids) == 3
    assert None not in ids


@pytest.mark.own_server
@pytest.mark.parametrize("spelled", ["%E6%A8%A1%E5%9E%8B", "%e6%a8%a1%e5%9e%8b", "模型", "模%E5%9e%8B"])
def test_a_prefix_is_served_in_any_spelling(gateway: GatewayProcess, upstream: Upstream, spelled: str) -> None:
    """Encoded in either case or as raw UTF-8; what follows reaches the upstream byte for byte."""
    gateway.map("/模型", upstream.url)
    rest = b"/%e6%A8/\xe6\xa8\xa1/%2F?q=%7E"
    answer = gateway.raw(b"GET /" + spelled.encode() + rest + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert upstream.seen[-1].head.startswith(b"GET " + rest + b" HTTP/1.1\r\n")


def test_another_spelling_of_a_prefix_cannot_be_added(gateway: GatewayProcess, upstream: Upstream) -> None:
    """The API names the one that is there."""
    gateway.map("/spelled~x", upstream.url)
    made = gateway.admin("POST", "/api/mappings", {"prefix": "/spelled%7Ex", "target": upstream.url})
    assert made.status == 400
    assert "another spelling of '/spelled~x'" in made.json()["error"]


def test_redirect_is_passed_on(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A redirect is the caller's to follow."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.answer(b"moved", "307 Temporary Redirect", "Location: http://elsewhere.example/\r\n")

    upstream.handler = handler
    reply = gateway.request("POST", "/up/x", b"{}")
    assert (reply.status, reply.field("location"), reply.body) == (307, "http://elsewhere.example/", b"moved")
    assert len(upstream.seen) == 1


def test_compressed_bodies_pass_untouched(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Compressed bodies pass as they are in both directions."""
    packed = gzip.compress(b"x" * 1000)

    def handler(peer: Peer) -> None:
        seen = peer.read_request()
        assert seen is not None
        peer.answer(seen.body, fields="Content-Encoding: gzip\r\n")

    upstream.handler = handler
    reply = gateway.request("POST", "/up/x", packed, {"Content-Encoding": "gzip"})
    assert (reply.body, reply.field("content-encoding")) == (packed, "gzip")
    assert upstream.seen[-1].field("content-encoding") == "gzip"


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 3_000_000])
def test_body_with_length_arrives_whole(gateway: GatewayProcess, upstream: Upstream, size: int) -> None:
    """A body of any size arrives whole, with its Content-Length."""
    body = bytes(range(256)) * (size // 256) + b"z" * (size % 256)
    gateway.request("POST", "/up/x", body)
    assert upstream.seen[-1].body == body
    assert upstream.seen[-1].field("content-length") == str(size)


@pytest.mark.parametrize("size", [0, 1, 200_000])
def test_chunked_body_arrives_chunked(gateway: GatewayProcess, upstream: Upstream, size: int) -> None:
    """A body of unknown length stays one."""
    body = b"q" * size
    gateway.request("POST", "/up/x", iter([body[:100], body[100:]]))
    assert upstream.seen[-1].body == body
    assert upstream.seen[-1].field("transfer-encoding") == "chunked"
    assert upstream.seen[-1].field("content-length") is None


def test_upload_is_streamed(gateway: GatewayProcess, upstream: Upstream) -> None:
    """The first bytes of a body reach the upstream while the client still holds back the last."""
    arrived = threading.Event()

    def handler(peer: Peer) -> None:
        peer.read_head()
        assert peer._read_exactly(5) == b"first"
        arrived.set()
        assert peer._read_exactly(4) == b"last"
        peer.answer(b"ok")

    upstream.handler = handler
    with gateway.connect() as sock:
        sock.sendall(b"POST /up/x HTTP/1.1\r\nHost: g\r\nContent-Length: 9\r\nConnection: close\r\n\r\nfirst")
        assert arrived.wait(5)
        sock.sendall(b"last")
        assert receive_all(sock).endswith(b"ok")


def test_upstream_may_answer_before_the_upload_ends(gateway: GatewayProcess, upstream: Upstream) -> None:
    """An early answer reaches a client that is still sending, as a refusal of a long body must."""

    def handler(peer: Peer) -> None:
        peer.read_head()
        peer.answer(b"too much", "413 Content Too Large")
        peer.wait_closed()

    upstream.handler = handler
    with gateway.connect() as sock:
        sock.sendall(b"POST /up/x HTTP/1.1\r\nHost: g\r\nContent-Length: 900000\r\n\r\n" + b"x" * 100_000)
        response = http.client.HTTPResponse(sock)
        response.begin()
        assert (response.status, response.read()) == (413, b"too much")


def test_both_directions_at_once(gateway: GatewayProcess, upstream: Upstream) -> None:
    """An upstream that answers piece by piece to a body that is still on its way is relayed as it speaks."""

    def handler(peer: Peer) -> None:
        peer.read_head()
        peer.begin_stream()
        for _ in range(3):
            while b"\r\n" not in peer._buffer:
                peer._receive()
            size = int(peer._buffer.split(b"\r\n", 1)[0], 16)
            peer._read_exactly(len(f"{size:x}") + 2)
            peer.send_chunk(peer._read_exactly(size + 2)[:size].upper())
        peer.end_stream()

    upstream.handler = handler
    with gateway.connect() as sock:
        sock.sendall(b"POST /up/x HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        answer = b""
        for word in (b"one", b"two", b"six"):
            sock.sendall(b"3\r\n" + word + b"\r\n")
            while word.upper() not in answer:
                piece = sock.recv(4096)
                assert piece
                answer += piece
        sock.sendall(b"0\r\n\r\n")


def test_expectation_is_passed_on_and_answered(gateway: GatewayProcess, upstream: Upstream) -> None:
    """`Expect: 100-continue` goes to the upstream; its 100 lets the client send the body."""

    def handler(peer: Peer) -> None:
        seen = peer.read_head()
        assert seen is not None
        assert seen.field("expect") == "100-continue"
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert peer._read_exactly(4) == b"body"
        peer.answer(b"ok")

    upstream.handler = handler
    with gateway.connect() as sock:
        sock.sendall(
            b"POST /up/x HTTP/1.1\r\nHost: g\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"body")
        assert receive_all(sock).endswith(b"ok")


@pytest.mark.own_server("gevent")  # gunicorn asks for the body whatever the version
def test_expectation_of_http10_is_passed_over(gateway: GatewayProcess, upstream: Upstream) -> None:
    """An HTTP/1.0 client is sent no 100, and its `Expect` reaches no upstream (RFC 9110, 10.1.1)."""
    with gateway.connect() as sock:
        sock.sendall(b"POST /up/x HTTP/1.0\r\nHost: g\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            sock.recv(1000)
        sock.settimeout(10)
        sock.sendall(b"body")
        assert receive_all(sock).startswith(b"HTTP/1.1 200 ")
    [seen] = upstream.seen
    assert (seen.field("expect"), seen.body) == (None, b"body")


@pytest.mark.own_server("gevent")  # gunicorn asks for the body before the application runs
def test_expectation_refused_spares_the_body(gateway: GatewayProcess, upstream: Upstream) -> None:
    """An upstream that refuses at once is believed, and the body is never asked for."""

    def handler(peer: Peer) -> None:
        peer.read_head()
        peer.answer(b"no", "401 Unauthorized")
        peer.wait_closed()

    upstream.handler = handler
    with gateway.connect() as sock:
        sock.sendall(b"POST /up/x HTTP/1.1\r\nHost: g\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert receive_all(sock).startswith(b"HTTP/1.1 401")


def test_interim_answers_do_not_disturb(gateway: GatewayProcess, upstream: Upstream) -> None:
    """103 Early Hints and an unasked 100 are passed over."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        peer.answer(b"final")

    upstream.handler = handler
    reply = gateway.request("GET", "/up/x")
    assert (reply.status, reply.body) == (200, b"final")


FRAMINGS = {
    "chunked": (b"Transfer-Encoding: chunked\r\n", lambda piece: b"%x\r\n%b\r\n" % (len(piece), piece), b"0\r\n\r\n"),
    "until close": (b"Connection: close\r\n", lambda piece: piece, b""),
    "length": (b"Content-Length: 30\r\n", lambda piece: piece, b""),
}


@pytest.mark.parametrize("framing", FRAMINGS)
def test_events_arrive_one_by_one(gateway: GatewayProcess, upstream: Upstream, framing: str) -> None:
    """The head and each event reach the client as soon as the upstream sends them, however it frames them."""
    field, frame, end = FRAMINGS[framing]
    go_on = threading.Semaphore(0)

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + field + b"\r\n")
        for number in range(3):
            assert go_on.acquire(timeout=5)
            peer.send(frame(b"data: %d..\n" % number))
        peer.send(end)

    upstream.handler = handler
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=5)
    connection.request("GET", "/up/x")
    response = connection.getresponse()  # the head came before any event was sent
    for number in range(3):
        go_on.release()
        assert response.read1(100) == b"data: %d..\n" % number
    assert response.read(1) == b"" or framing == "length"
    connection.close()


def test_gnothink_switches_thinking_off(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Only `/gnothink` edits a JSON body, and only its thinkingConfig."""
    gateway.map("/gnothink", upstream.url)
    sent = {"contents": [1], "generationConfig": {"temperature": 0.5, "thinkingConfig": {"thinkingBudget": 9}}}
    headers = {"Content-Type": "application/json; charset=utf-8"}
    gateway.request("POST", "/gnothink/v1beta/models/g:generateContent", json.dumps(sent), headers)
    sent["generationConfig"]["thinkingConfig"] = {"thinkingBudget": 0}
    assert json.loads(upstream.seen[-1].body) == sent
    assert upstream.seen[-1].field("content-length") == str(len(upstream.seen[-1].body))


def test_gnothink_leaves_what_is_no_json(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A body that cannot be parsed is forwarded unchanged."""
    gateway.map("/gnothink", upstream.url)
    gateway.request("POST", "/gnothink/x", b"{not json", {"Content-Type": "application/json"})
    assert upstream.seen[-1].body == b"{not json"


def test_other_mappings_bodies_are_not_read(gateway: GatewayProcess, upstream: Upstream) -> None:
    """JSON with odd spacing passes any other mapping byte for byte."""
    body = b'{ "generationConfig" :{}, "a": 1e400 }'
    gateway.request("POST", "/up/x", body, {"Content-Type": "application/json"})
    assert upstream.seen[-1].body == body


def test_slow_client_holds_back_the_upstream(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A client that does not read stops the upstream's sending after a bounded number of bytes."""
    sent = []

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.begin_stream()
        peer.sock.settimeout(1)
        try:
            while len(sent) < 2000:
                peer.send_chunk(b"x" * 65_536)
                sent.append(1)
        except TimeoutError:
            pass

    def stands_still() -> bool:
        """Nothing was taken for half a second."""
        before = len(sent)
        time.sleep(0.5)
        return len(sent) == before

    upstream.handler = handler
    with gateway.connect() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        sock.sendall(b"GET /up/x HTTP/1.1\r\nHost: g\r\n\r\n")
        wait_until(stands_still, "the upstream is stopped")
        assert len(sent) < 500, "about 32 MB at most may be under way in the kernel's buffers"
