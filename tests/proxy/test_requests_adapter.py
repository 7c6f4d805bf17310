"""The adapter at requests' door: a Session's calls go through the gateway's own transport."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator

import pytest
import requests

from app.core.network.egress import EgressPolicy, parse_entries
from app.core.settings import Limits
from app.proxy.upstream.adapter import UpstreamAdapter
from app.proxy.upstream.dialing import Dialer, OwnAddress
from app.proxy.upstream.transport import Transport
from tests.support.upstream import Peer, Upstream


@pytest.fixture
def site() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    transport = Transport(Dialer(EgressPolicy(parse_entries("127.0.0.1")), OwnAddress("127.0.0.1", 0)))
    with requests.Session() as session:
        session.trust_env = False
        for scheme in ("http://", "https://"):
            session.mount(scheme, UpstreamAdapter(transport, Limits(idle_timeout=5.0)))
        yield session
    transport.close()


def answering(site: Upstream, body: bytes, *fields: tuple[str, str]) -> None:
    def handler(peer: Peer) -> None:
        while peer.read_request():
            head = "".join(f"{name}: {value}\r\n" for name, value in fields)
            peer.send(f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    site.handler = handler


def test_calls_of_a_session_share_a_kept_connection(site: Upstream, session: requests.Session) -> None:
    """Method, path, query, fields and body arrive, and the second call takes the first one's connection."""
    answering(site, b"{}", ("X-Seen", "1"), ("X-Seen", "2"))
    for _ in range(2):
        reply = session.post(f"{site.url}/a?b=c", data=b"body", headers={"X-Mine": "yes"})
    assert (reply.status_code, reply.reason, reply.headers["x-seen"], reply.json()) == (200, "OK", "1, 2", {})
    seen = site.seen[-1]
    assert (seen.line, seen.body) == ("POST /a?b=c HTTP/1.1", b"body")
    assert ("X-Mine", "yes") in seen.fields
    assert {request.connection for request in site.seen} == {1}


def test_an_answer_is_decoded_and_streams(site: Upstream, session: requests.Session) -> None:
    """What requests does with a body it does here: a coding is undone, pieces come one by one."""
    answering(site, gzip.compress(b"text"), ("Content-Encoding", "gzip"), ("Content-Type", "text/plain; charset=utf-8"))
    assert session.get(site.url).text == "text"
    with session.get(site.url, stream=True) as reply:
        assert b"".join(reply.iter_content(2)) == b"text"


def test_a_body_may_be_made_on_the_way(site: Upstream, session: requests.Session) -> None:
    """What comes from an iterator or a file goes out by chunks."""
    answering(site, b"")
    session.post(site.url, data=iter([b"one", b"", b"two"]))
    assert site.seen[-1].body == b"onetwo"


def test_what_fails_is_told_as_requests_tells_it(site: Upstream, session: requests.Session) -> None:
    """Refused addresses, refused connections, silence and cut bodies are exceptions of requests."""
    site.handler = lambda peer: peer.read_request() and peer.wait_closed()
    with pytest.raises(requests.exceptions.InvalidURL, match="not public"):
        session.get("http://10.0.0.1/")
    with pytest.raises(requests.exceptions.InvalidURL):
        session.get("http://user:password@127.0.0.1/", auth=("user", "password"))
    with pytest.raises(requests.ConnectionError, match="no connection"):
        session.get("http://127.0.0.1:1/")
    with pytest.raises(requests.Timeout):
        session.get(site.url, timeout=0.1)
    site.handler = lambda peer: peer.read_request() and peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        _ = session.get(site.url).content


def test_a_body_that_fails_leaves_no_connection_open(site: Upstream, session: requests.Session) -> None:
    """Also while somebody keeps the exception, and with it all that was at hand."""
    ended = threading.Event()

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        peer.wait_closed()
        ended.set()

    site.handler = handler
    with pytest.raises(requests.RequestException) as caught:
        session.get(site.url, timeout=0.1)
    assert ended.wait(5), caught
