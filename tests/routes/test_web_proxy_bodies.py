"""Web pages through the gateway: what is rewritten, what passes, and when it comes."""

from __future__ import annotations

import gzip
import re
import threading
import time

import pytest

from tests.support.answers import HTML, answering, values
from tests.support.gateway import GatewayProcess, receive_all
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until


def test_other_content_passes_untouched_and_compressed(open_gateway: GatewayProcess, site: Upstream) -> None:
    """With its coding, length, ETag and ranges."""
    body = gzip.compress(b'{"href": "/x"}')
    site.handler = answering(
        body, 'Content-Type: application/json\r\nContent-Encoding: gzip\r\nETag: "1"\r\nAccept-Ranges: bytes\r\n'
    )
    reply = open_gateway.request("GET", f"/proxy/{site.url}/")
    assert reply.body == body
    assert (reply.field("content-encoding"), reply.field("content-length")) == ("gzip", str(len(body)))
    assert (reply.field("etag"), reply.field("accept-ranges")) == ('"1"', "bytes")


def test_a_compressed_page_is_decoded_to_be_rewritten(open_gateway: GatewayProcess, site: Upstream) -> None:
    """Its fields no longer tell of bytes that are not there; its ETag is a weak one."""
    site.handler = answering(
        gzip.compress(b"<a href=/x>"),
        HTML + 'Content-Encoding: gzip\r\nETag: "1"\r\nAccept-Ranges: bytes\r\nContent-Digest: sha-256=:x:\r\n',
    )
    reply = open_gateway.request("GET", f"/proxy/{site.url}/")
    assert reply.body.decode() == f"<a href=/proxy/{site.url}/x>"
    assert reply.field("etag") == 'W/"1"'
    gone = {"content-encoding", "content-length", "accept-ranges", "content-digest"}
    assert not gone & {name.lower() for name, _ in reply.fields}


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"<p>" * 9000, mtime=0)[:-9]),
        ("gzip", b"\x1f\x8bno gzip"),
        ("br", b"\xff\xff\xff"),
        ("zstd", b"(\xb5/\xfd"),
    ],
)
def test_a_broken_coding_breaks_the_page_visibly(
    open_gateway: GatewayProcess, site: Upstream, coding: str, body: bytes
) -> None:
    """A page that is cut short is never ended as if it were whole; one that is nonsense from its start is a 502."""
    site.handler = answering(body, HTML + f"Content-Encoding: {coding}\r\n")
    raw = open_gateway.raw(f"GET /proxy/{site.url}/ HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n".encode())
    if raw.startswith(b"HTTP/1.1 200"):
        assert not raw.endswith(b"0\r\n\r\n")
    else:
        assert raw.startswith(b"HTTP/1.1 502")
        assert body in (b"\x1f\x8bno gzip", b"\xff\xff\xff")
        assert b"upstream_protocol_error" in raw


def test_a_coding_that_cannot_be_undone_passes_untouched(open_gateway: GatewayProcess, site: Upstream) -> None:
    """What cannot be read cannot be rewritten. The policy confines it all the same."""
    site.handler = answering(b"secret", HTML + "Content-Encoding: compress\r\n")
    reply = open_gateway.request("GET", f"/proxy/{site.url}/")
    assert (reply.body, reply.field("content-encoding")) == (b"secret", "compress")


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("utf-8", b"<a href=/x>"),
        ("none", b"<a href=/x>"),
        ("gzip", b"<a href=/x>"),
        ("gzip\r\nContent-Encoding: utf-8", gzip.compress(b"<a href=/x>", mtime=0)),
    ],
)
def test_what_is_no_coding_is_none(open_gateway: GatewayProcess, site: Upstream, coding: str, body: bytes) -> None:
    """A charset in the wrong field, a server that says gzip and sends text: browsers show such pages."""
    site.handler = answering(body, HTML + f"Content-Encoding: {coding}\r\n")
    reply = open_gateway.request("GET", f"/proxy/{site.url}/")
    assert (reply.status, reply.body.decode()) == (200, f"<a href=/proxy/{site.url}/x>")
    assert reply.field("content-encoding") is None


@pytest.mark.parametrize("status", ["206 Partial Content", "304 Not Modified"])
def test_parts_and_nothing_pass(open_gateway: GatewayProcess, site: Upstream, status: str) -> None:
    """A part of a page cannot be rewritten, so its range still tells the truth."""
    fields = HTML + "Content-Range: bytes 0-8/99\r\n"
    body = b"<a href=/" if status.startswith("206") else b""
    site.handler = answering(body, fields, status)
    reply = open_gateway.request("GET", f"/proxy/{site.url}/", headers={"Range": "bytes=0-8", "If-None-Match": '"1"'})
    assert (reply.status, reply.body) == (int(status[:3]), body)
    assert reply.field("content-range") == "bytes 0-8/99"
    assert (site.seen[0].field("range"), site.seen[0].field("if-none-match")) == ("bytes=0-8", '"1"')


def test_a_page_that_has_not_changed_keeps_its_policy(open_gateway: GatewayProcess, site: Upstream) -> None:
    """Its scripts bear the nonce of the policy that came with it; a new one would shut ours out."""
    site.handler = answering(b"", HTML + "Content-Security-Policy: script-src 'nonce-n'\r\n", "304 Not Modified")
    reply = open_gateway.request("GET", f"/proxy/{site.url}/", headers={"If-None-Match": '"1"'})
    assert (reply.status, values(reply, "content-security-policy")) == (304, [])


def test_head_tells_what_get_would(open_gateway: GatewayProcess, site: Upstream) -> None:
    """Without a length for a page, whose length changes; with it for all else."""

    def handler(peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            kind = "text/html" if "page" in seen.target else "image/png"
            peer.send(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: 99\r\n\r\n".encode())

    site.handler = handler
    assert open_gateway.request("HEAD", f"/proxy/{site.url}/page").field("content-length") is None
    assert open_gateway.request("HEAD", f"/proxy/{site.url}/picture").field("content-length") == "99"


def test_a_page_shows_while_it_loads(open_gateway: GatewayProcess, site: Upstream) -> None:
    """The head comes before the page begins, and each piece before the next is there."""
    steps: list[float] = []

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.begin_stream(HTML)
        for piece in (b"<p>one</p><a href='/", b"x'>two</a>", b"<script>var three"):
            wait_until(lambda: len(steps) > handler.sent, "the client has read what was sent")  # type: ignore[attr-defined]
            peer.send_chunk(piece)
            handler.sent += 1  # type: ignore[attr-defined]
        wait_until(lambda: len(steps) > 3, "the client has read it all")
        peer.end_stream()

    handler.sent = 0  # type: ignore[attr-defined]
    site.handler = handler
    with open_gateway.connect() as sock:
        sock.sendall(f"GET /proxy/{site.url}/ HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n".encode())
        seen = b""
        for mark in (b"\r\n\r\n", b"one</p>", b"two</a>", b"var three"):
            while mark not in seen:
                data = sock.recv(65536)
                assert data, seen
                seen += data
            steps.append(time.monotonic())


def test_the_pages_script_comes_first_and_passes_the_pages_policy(open_gateway: GatewayProcess, site: Upstream) -> None:
    """Before the page's own scripts stands ours, with the nonce that the adapted policy names."""
    site.handler = answering(
        b"<!doctype html><title>t</title><script nonce=n>1</script>",
        HTML + "Content-Security-Policy: script-src 'nonce-n'\r\n",
    )
    reply = open_gateway.request("GET", f"/proxy/{site.url}/")
    ours = rb'<script src="(/static/proxied/script\.js)" nonce="(\w+)"></script><script nonce=n>'
    script = re.search(ours, reply.body)
    assert script is not None, reply.body
    assert f"script-src 'nonce-n' 'nonce-{script[2].decode()}'" in values(reply, "content-security-policy")
    assert script[2].decode() != reply.field("x-request-id")  # which is no secret
    assert open_gateway.request("GET", script[1].decode()).status == 200


def test_what_a_stylesheet_asks_of_the_root_is_its_sites(open_gateway: GatewayProcess, site: Upstream) -> None:
    """Stylesheets and modules name themselves as Referer; pages of our own do not come from under /proxy/."""
    sheet = {"Referer": f"{open_gateway.url}/proxy/{site.url}/a.css", "Sec-Fetch-Dest": "image"}
    reply = open_gateway.request("GET", "/static/bg.png?x=1", headers=sheet)
    assert (reply.status, reply.field("location")) == (307, f"/proxy/{site.url}/static/bg.png?x=1")
    shouted = sheet | {"Referer": f"{open_gateway.url}/proxy/{site.url.upper()}/http/a.css"}
    reply = open_gateway.request("GET", "/static/bg.png", headers=shouted)
    assert (reply.status, reply.field("location")) == (307, f"/proxy/{site.url}/static/bg.png")
    opened = sheet | {"Sec-Fetch-Dest": "document"}
    assert open_gateway.request("GET", "/admin", headers=opened).status == 200
    ours = {"Referer": f"{open_gateway.url}/admin", "Sec-Fetch-Dest": "script"}
    assert open_gateway.request("GET", "/static/js/boot.js", headers=ours).status == 200


# --- limits and statistics ---


def test_a_page_that_is_much_work_leaves_others_their_turn(open_gateway: GatewayProcess, site: Upstream) -> None:
    """While 9 MB are rewritten without waiting for anything, other requests are answered in between."""
    site.handler = answering(gzip.compress(b"<a b c d " * 1_000_000), HTML + "Content-Encoding: gzip\r\n")
    with open_gateway.connect() as sock:
        sock.settimeout(60)
        sock.sendall(f"GET /proxy/{site.url}/ HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n".encode())
        reader = threading.Thread(target=receive_all, args=(sock,))
        reader.start()
        answered = 0
        while reader.is_alive():
            answered += open_gateway.request("GET", "/robots.txt").status == 200
        reader.join()
    assert answered > 12


def test_a_page_that_is_too_slow_is_504(open_gateway: GatewayProcess, site: Upstream) -> None:
    """The time limits of pages are settings of their own, changed while running."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.wait_closed()

    site.handler = handler
    open_gateway.admin("PUT", "/api/settings", {"web_first_byte_timeout": 0.2})
    try:
        reply = open_gateway.request("GET", f"/proxy/{site.url}/")
    finally:
        open_gateway.admin("PUT", "/api/settings", {"web_first_byte_timeout": None})
    assert (reply.status, reply.json()["error"]["code"]) == (504, "first_byte_timeout")


def test_pages_are_counted_as_one_endpoint(open_gateway: GatewayProcess) -> None:
    """It is listed from the start, like the mappings."""
    assert "/proxy" in open_gateway.request("GET", "/stats").json()["endpoints"]


def test_pages_are_logged_as_one_endpoint_without_their_addresses(open_gateway: GatewayProcess, site: Upstream) -> None:
    """The log names the site's host and the bytes that the browser got, and no path or query."""
    site.handler = answering(b"<a href=/x>")
    reply = open_gateway.request("GET", f"/proxy/{site.url}/hidden?key=canary", headers={"X-Request-Id": "x"})
    request_id = reply.field("x-request-id")
    log = open_gateway.settled_log(f"request_id={request_id}")
    (line,) = (line for line in log.splitlines() if f"request_id={request_id}" in line)
    assert f"mapping=/proxy upstream=127.0.0.1:{site.port} status=200" in line
    assert f"response_bytes={len(reply.body)} " in line
    assert "hidden" not in log
    assert "canary" not in log
