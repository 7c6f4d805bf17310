"""Web pages whose type the site does not tell, or not in one word, and those that are saved."""

from __future__ import annotations

import gzip

import pytest

from tests.support.answers import HTML, answering, values
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until

PAGE = b"\n<!DOCTYPE html><a href=/x>"


@pytest.mark.parametrize(
    "fields",
    [
        "",
        "Content-Type:\r\n",
        "Content-Type: */*\r\n",
        "Content-Type: unknown/unknown\r\n",
        "Content-Type: text/plain\r\nContent-Type: text/html\r\n",
        "Content-Type: text/plain, text/html\r\n",
        "Content-Type: text/html\r\nContent-Type: text/html\r\n",
    ],
)
@pytest.mark.parametrize("coding", ["", "gzip"])
def test_what_a_browser_takes_for_a_page_is_rewritten(
    open_gateway: GatewayProcess, site: Upstream, fields: str, coding: str
) -> None:
    """And is told as one, in one field, so that no browser judges otherwise."""
    body = gzip.compress(PAGE) if coding else PAGE
    site.handler = answering(body, fields + ("Content-Encoding: gzip\r\n" if coding else ""))
    reply = open_gateway.request("GET", f"/proxy/{site.url}/")
    assert reply.body.decode() == f"\n<!DOCTYPE html><a href=/proxy/{site.url}/x>"
    assert values(reply, "content-type") == ["text/html"]


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ("", b"<pre><a href=/x>"),
        ("", b"\x89PNG\r\n\x1a\n<a href=/x>"),
        ("Content-Type: text/html\r\nContent-Type: text/plain\r\n", PAGE),
        ("X-Content-Type-Options: nosniff\r\n", PAGE),
        ("Content-Type: application/octet-stream\r\n", PAGE),
        ("Content-Encoding: gzip\r\n", gzip.compress(b"no page <a href=/x>", mtime=0)),
        (HTML + 'Content-Disposition: attachment; filename="a.html"\r\n', PAGE),
        (HTML + "Content-Disposition: attachment\r\nContent-Encoding: gzip\r\n", gzip.compress(PAGE, mtime=0)),
        ("Content-Disposition: attachment\r\n", PAGE),
    ],
)
def test_what_is_no_page_or_is_saved_leaves_as_it_came(
    open_gateway: GatewayProcess, site: Upstream, fields: str, body: bytes
) -> None:
    """Byte for byte, with its coding, length, digest, ETag and ranges; confined all the same."""
    site.handler = answering(body, fields + 'ETag: "1"\r\nAccept-Ranges: bytes\r\nContent-Digest: sha-256=:x:\r\n')
    reply = open_gateway.request("GET", f"/proxy/{site.url}/")
    assert reply.body == body
    assert reply.field("content-length") == str(len(body))
    assert (reply.field("etag"), reply.field("accept-ranges")) == ('"1"', "bytes")
    assert reply.field("content-digest") == "sha-256=:x:"
    told = [line.partition(": ")[2] for line in fields.split("\r\n") if line.startswith("Content-Type")]
    assert values(reply, "content-type") == told
    assert any("sandbox" in policy for policy in values(reply, "content-security-policy"))


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        ([b" ", b"<", b"ht", b"ml", b"><a href=/x>"], " <html><a href={}/x>"),
        ([b"<a", b"bbr><a href=/x>"], "<abbr><a href=/x>"),
        ([b"<a", b""], "<a"),
        ([b"plain", b" text"], "plain text"),
    ],
)
def test_nobody_waits_for_a_type(open_gateway: GatewayProcess, site: Upstream, pieces: list[bytes], shown: str) -> None:
    """The head goes before the body has begun; what comes out is the same however slowly it comes."""
    heard: list[bytes] = []

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.begin_stream("")
        wait_until(lambda: heard, "the client has the head")
        for piece in filter(None, pieces):
            peer.send_chunk(piece)
        peer.end_stream()

    site.handler = handler
    with open_gateway.connect() as sock:
        sock.sendall(f"GET /proxy/{site.url}/ HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n".encode())
        while b"\r\n\r\n" not in b"".join(heard):
            heard.append(sock.recv(65536))
        data = b"".join(heard)
        while piece := sock.recv(65536):
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    assert b"content-length" not in head.lower()
    assert unchunked(body).decode() == shown.format(f"/proxy/{site.url}")


def unchunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        whole += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return whole
