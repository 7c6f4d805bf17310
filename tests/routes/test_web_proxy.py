"""Web pages through the gateway: who may, what goes to the site, what comes back."""

from __future__ import annotations

import gzip
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import pytest
import redis

from app.core.tickets import Tickets
from app.storage.connections import ADMIN_FAILURES
from app.wire.pages.address import parse_address
from app.wire.pages.cookies import cookie_from
from app.wire.pages.policy import OWN_POLICY
from tests.support.gateway import ADMIN_TOKEN, GatewayProcess, Reply, receive_all, wait_until
from tests.support.upstream import Peer, Upstream

HTML = "Content-Type: text/html; charset=utf-8\r\n"


@pytest.fixture(scope="module")
def open_gateway(redis_url: str) -> Iterator[GatewayProcess]:
    process = GatewayProcess(redis_url, {"WEB_PROXY": "open", "EGRESS_PORTS": "*"}).start()
    yield process
    process.stop()


@pytest.fixture(scope="module")
def token_gateway(redis_url: str) -> Iterator[GatewayProcess]:
    process = GatewayProcess(redis_url, {"WEB_PROXY": "token", "EGRESS_PORTS": "*"}).start()
    yield process
    process.stop()


@pytest.fixture
def site() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def forgive(redis_client: redis.Redis) -> Iterator[None]:
    yield
    for key in redis_client.scan_iter(ADMIN_FAILURES + "*"):
        redis_client.delete(key)


def answering(body: bytes, fields: str = HTML, status: str = "200 OK") -> Callable[[Peer], None]:
    """One answer to a connection, so that the next request finds the handler of its time."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.answer(body, status, f"{fields}Connection: close\r\n")

    return handler


def values(reply: Reply, name: str) -> list[str]:
    return [value for key, value in reply.fields if key.lower() == name]


# --- the address ---


def test_a_page_is_shown(open_gateway: GatewayProcess, site: Upstream) -> None:
    """The page comes, and what it links to leads back through the proxy."""
    site.handler = answering(b'<a href="/next">x</a><a href="https://other.example/">y</a>')
    reply = open_gateway.request("GET", f"/proxy/{site.url}/docs?x=1")
    assert reply.status == 200
    assert reply.body.decode() == (
        f'<a href="/proxy/{site.url}/next">x</a><a href="/proxy/https://other.example/">y</a>'
    )
    assert site.seen[0].line == "GET /docs?x=1 HTTP/1.1"
    assert site.seen[0].field("host") == site.url.removeprefix("http://")


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("/proxy/http:/127.0.0.1:{port}/a%2Fb?u=http://x/", "/proxy/http://127.0.0.1:{port}/a%2Fb?u=http://x/"),
        ("/proxy/HTTP://127.0.0.1:{port}", "/proxy/http://127.0.0.1:{port}/"),
        ("/proxy/http%3A%2F%2F127.0.0.1%3A{port}%2F", "/proxy/http://127.0.0.1:{port}/"),
        ("/proxy/http://0x7f.1:{port}/", "/proxy/http://127.0.0.1:{port}/"),
    ],
)
def test_an_odd_address_is_led_to_its_canonical_form(
    open_gateway: GatewayProcess, site: Upstream, typed: str, canonical: str
) -> None:
    """Relative links and cookies depend on the address that the browser shows."""
    reply = open_gateway.request("GET", typed.format(port=site.port))
    assert (reply.status, reply.field("location")) == (307, canonical.format(port=site.port))
    assert not site.seen
    assert open_gateway.request("GET", canonical.format(port=site.port)).status == 200


@pytest.mark.parametrize("typed", ["example.com", "ftp://example.com/", "https://", "javascript:alert(1)"])
def test_what_is_no_web_address_is_400_with_an_example(open_gateway: GatewayProcess, typed: str) -> None:
    """The caller is told what would do."""
    reply = open_gateway.request("GET", f"/proxy/{typed}")
    assert (reply.status, reply.json()["error"]["code"]) == (400, "invalid_address")
    assert "/proxy/https://example.com" in reply.json()["error"]["message"]


def test_a_person_gets_a_page_of_the_error(open_gateway: GatewayProcess) -> None:
    """A browser shows the reason, and where to type another address; what was typed is only text in it."""
    reply = open_gateway.request("GET", "/proxy/<script>alert(1)</script>", headers={"Accept": "text/html,*/*"})
    assert reply.status == 400
    assert (reply.field("content-type") or "").startswith("text/html")
    assert b"invalid_address" in reply.body
    assert b"alert(1)" not in reply.body
    assert "default-src 'none'" in (reply.field("content-security-policy") or "")


def test_an_address_can_be_typed_into_a_form(open_gateway: GatewayProcess) -> None:
    """`/proxy/` shows the form, which leads to the address; without a scheme https is meant."""
    assert b"<form" in open_gateway.request("GET", "/proxy/").body
    for typed, location in [
        ("https://example.com/a?b=1%25#top", "/proxy/https://example.com/a?b=1%25#top"),
        ("example.com", "/proxy/https://example.com/"),
        ("example.com:8080/?next=http://b.example/", "/proxy/https://example.com:8080/?next=http://b.example/"),
        ("//example.com/ä b?ö", "/proxy/https://example.com/%C3%A4%20b?%C3%B6"),
        ("https://example.com/\r\nSet-Cookie: a=1", "/proxy/https://example.com/%0D%0ASet-Cookie:%20a=1"),
    ]:
        reply = open_gateway.request("GET", f"/proxy/?{urlencode({'url': typed})}")
        assert (reply.status, reply.field("location")) == (302, location)


@pytest.mark.parametrize(
    "typed", ["javascript:alert(1)", "https://../../admin", "ftp://example.com/", "https://a b/", "#"]
)
def test_what_is_typed_amiss_is_said_in_the_form(open_gateway: GatewayProcess, typed: str) -> None:
    """The page says what is wrong, and leads nowhere."""
    reply = open_gateway.request("GET", f"/proxy/?{urlencode({'url': typed})}")
    assert (reply.status, reply.field("location")) == (400, None)
    assert b"invalid_address" in reply.body


def test_an_ipv6_address_can_be_typed_into_the_form(open_gateway: GatewayProcess) -> None:
    """Also where something on the way has encoded its brackets."""
    location = open_gateway.request("GET", "/proxy/?url=http%3A%2F%2F%5B::1%5D:8080%2F").field("location") or ""
    if "%5B" in location:
        location = open_gateway.request("GET", location).field("location") or ""
    assert location == "/proxy/http://[::1]:8080/"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
def test_any_method_passes_with_body_query_and_fields(
    open_gateway: GatewayProcess, site: Upstream, method: str
) -> None:
    """The site sees what the browser sent."""
    reply = open_gateway.request(method, f"/proxy/{site.url}/f?q=1", b"a=1", {"X-Mine": "yes"})
    told = reply.json()
    assert (told["line"], told["body"]) == (f"{method} /f?q=1 HTTP/1.1", "a=1")
    assert ["X-Mine", "yes"] in told["fields"]


# --- what goes to the site ---


def test_the_browsers_view_of_the_gateway_stays_here(open_gateway: GatewayProcess, site: Upstream) -> None:
    """Referer and Origin name the site's own addresses; what speaks of the gateway is left out."""
    sent = {
        "Referer": f"{open_gateway.url}/proxy/https://a.example/page?x=1",
        "Origin": open_gateway.url,
        "Cookie": "api_proxy_admin=secret; api_proxy_web=secret",
        "X-Forwarded-For": "203.0.113.9",
        "Via": "1.1 front",
        "X-Forwarded-Uri": "/proxy/~ticket/https://a.example/",
        "X-Original-URI": "/proxy/~ticket/https://a.example/",
        "CF-Connecting-IP": "203.0.113.9",
        "Sec-Fetch-Site": "cross-site",
        "Accept-Encoding": "gzip, deflate, br;q=0.5, zstd, dcb, compress",
        "Accept-Language": "de",
    }
    reply = open_gateway.request("POST", f"/proxy/{site.url}/", b"x", sent)
    fields = {name.lower(): value for name, value in reply.json()["fields"]}
    assert fields["referer"] == "https://a.example/page?x=1"
    assert fields["origin"] == "https://a.example"
    assert fields["accept-encoding"] == "gzip, deflate, br;q=0.5, zstd"
    assert fields["accept-language"] == "de"
    assert not fields.keys() & {"cookie", "via", "sec-fetch-site"}
    assert not [name for name in fields if name.startswith(("x-", "cf-"))]


@pytest.mark.parametrize("referer", ["{gateway}/", "{gateway}/admin", "https://a.example/", "{gateway}/proxy/x", ""])
def test_a_referer_that_is_no_proxied_page_goes_nowhere(
    open_gateway: GatewayProcess, site: Upstream, referer: str
) -> None:
    """The site does not learn where its visitor comes from, nor the gateway's address."""
    sent = {"Referer": referer.format(gateway=open_gateway.url)} if referer else {}
    reply = open_gateway.request("GET", f"/proxy/{site.url}/", headers=sent)
    assert "referer" not in {name.lower() for name, _ in reply.json()["fields"]}


def test_a_forged_request_with_cookies_is_not_told_as_the_sites_own(
    open_gateway: GatewayProcess, site: Upstream
) -> None:
    """Any page can make a browser send an opaque Origin; with the site's cookies it stays one."""
    cookie = str(cookie_from(parse_address(site.url), "/proxy/", "sid=1", secure=False))
    sent = {"Origin": "null", "Sec-Fetch-Site": "cross-site"}
    with_cookie = open_gateway.request("POST", f"/proxy/{site.url}/", b"x", sent | {"Cookie": cookie}).json()["fields"]
    assert ["Origin", "null"] in with_cookie
    assert ["Cookie", "sid=1"] in with_cookie
    assert ["Sec-Fetch-Site", "cross-site"] in with_cookie
    without = open_gateway.request("POST", f"/proxy/{site.url}/", b"x", sent).json()["fields"]
    assert ["Origin", site.url] in without


def test_a_foreign_page_is_not_told_as_the_sites_own(open_gateway: GatewayProcess, site: Upstream) -> None:
    """What another web page makes a browser send bears that page's origin, also where its Referer looks like ours."""
    sent = {"Origin": "https://evil.example", "Referer": f"https://evil.example/proxy/{site.url}/"}
    reply = open_gateway.request("POST", f"/proxy/{site.url}/", b"x", sent)
    assert ["Origin", "https://evil.example"] in reply.json()["fields"]


def test_cookies_make_the_round_and_reach_their_own_site_only(open_gateway: GatewayProcess, site: Upstream) -> None:
    """What a site sets comes back to it under its own name, and to no other site."""
    fields = "Set-Cookie: sid=1; Path=/; HttpOnly\r\nSet-Cookie: no=1; Domain=b.example\r\n"
    site.handler = answering(b"", HTML + fields)
    reply = open_gateway.request("GET", f"/proxy/{site.url}/")
    (cookie,) = values(reply, "set-cookie")
    assert f"; Path=/proxy/{site.url}/; HttpOnly" in cookie
    pair = cookie.partition(";")[0]
    open_gateway.request("GET", f"/proxy/{site.url}/x", headers={"Cookie": f"{pair}; api_proxy_admin=s"})
    assert site.seen[-1].field("cookie") == "sid=1"
    other = Upstream()
    open_gateway.request("GET", f"/proxy/{other.url}/x", headers={"Cookie": pair})
    assert other.seen[-1].field("cookie") is None
    other.close()


# --- what comes back ---


def test_redirects_lead_back_and_are_not_followed(open_gateway: GatewayProcess, site: Upstream) -> None:
    """Each hop is a request of its own, so it is checked again."""
    for location, mapped in [
        ("/next", f"/proxy/{site.url}/next"),
        ("https://b.example/x?y#z", "/proxy/https://b.example/x?y#z"),
        ("//b.example/", "/proxy/http://b.example/"),
        ("near", "near"),
        ("?page=2", "?page=2"),
        ("../../../up", f"/proxy/{site.url}/up"),
    ]:
        site.handler = answering(b"", f"Location: {location}\r\n", "302 Found")
        reply = open_gateway.request("GET", f"/proxy/{site.url}/a/b")
        assert (reply.status, reply.field("location")) == (302, mapped)


def test_addresses_in_fields_are_mapped(open_gateway: GatewayProcess, site: Upstream) -> None:
    """Link, Refresh and Content-Location lead back, too."""
    site.handler = answering(
        b"",
        "Content-Type: text/plain\r\nContent-Location: /real\r\nRefresh: 5; url=https://b.example/\r\n"
        'Link: </a.css>; rel=preload, <https://b.example/>; rel="next"\r\n',
    )
    reply = open_gateway.request("GET", f"/proxy/{site.url}/")
    assert reply.field("content-location") == f"/proxy/{site.url}/real"
    assert reply.field("refresh") == "5; url=/proxy/https://b.example/"
    assert reply.field("link") == (f'</proxy/{site.url}/a.css>; rel=preload, </proxy/https://b.example/>; rel="next"')


@pytest.mark.parametrize(
    "kind", ["text/html", "image/svg+xml", "application/pdf", "text/plain", "application/xml", "text/javascript"]
)
def test_every_answer_is_confined(open_gateway: GatewayProcess, site: Upstream, kind: str) -> None:
    """Whatever its type, what is shown has an origin of its own and loads through the gateway alone."""
    site.handler = answering(b"x", f"Content-Type: {kind}\r\nContent-Security-Policy: default-src 'self' a.example\r\n")
    reply = open_gateway.request("GET", f"/proxy/{site.url}/")
    assert OWN_POLICY in values(reply, "content-security-policy")
    assert "sandbox" in OWN_POLICY
    assert "allow-same-origin" not in OWN_POLICY
    assert "allow-popups-to-escape-sandbox" not in OWN_POLICY
    assert not any("a.example" in policy for policy in values(reply, "content-security-policy"))
    assert values(reply, "x-robots-tag") == ["noindex"]


def test_what_speaks_for_the_whole_origin_is_dropped(open_gateway: GatewayProcess, site: Upstream) -> None:
    """The origin is the gateway's: no site may set its transport security, wipe its data or frame rules."""
    dropped = {
        "Strict-Transport-Security": "max-age=1",
        "Alt-Svc": 'h3=":443"',
        "Clear-Site-Data": '"*"',
        "Service-Worker-Allowed": "/",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Access-Control-Allow-Origin": "https://a.example",
        "Report-To": "{}",
        "NEL": "{}",
        "Accept-CH": "DPR",
        "Use-As-Dictionary": 'match="/*"',
        "Secure-Session-Registration": '(ES256);path="/x"',
        "X-Accel-Redirect": "/admin",  # nginx before us would answer with that instead
        "X-Sendfile": "/etc/passwd",
    }
    site.handler = answering(b"x", HTML + "".join(f"{name}: {value}\r\n" for name, value in dropped.items()))
    reply = open_gateway.request("GET", f"/proxy/{site.url}/", headers={"Origin": "https://evil.example"})
    assert not {name.lower() for name, _ in reply.fields} & {name.lower() for name in dropped}


def test_proxied_pages_read_what_they_load_and_others_do_not(open_gateway: GatewayProcess, site: Upstream) -> None:
    """A page's origin here is `null`; a page of another site reads nothing through us."""
    path = f"/proxy/{site.url}/data.json"
    assert open_gateway.request("GET", path, headers={"Origin": "null"}).field("access-control-allow-origin") == "*"
    foreign = open_gateway.request("GET", path, headers={"Origin": "https://evil.example"})
    assert foreign.field("access-control-allow-origin") is None
    preflight = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "x-a"}
    allowed = open_gateway.request("OPTIONS", path, headers={"Origin": "null", **preflight})
    assert (allowed.status, allowed.field("access-control-allow-headers")) == (204, "x-a")
    refused = open_gateway.request("OPTIONS", path, headers={"Origin": "https://evil.example", **preflight})
    assert refused.field("access-control-allow-origin") is None


def test_what_is_answered_depends_on_who_asks(open_gateway: GatewayProcess, site: Upstream) -> None:
    """A cache on the way keeps the answer to a page's script apart from that to others."""
    assert values(open_gateway.request("GET", f"/proxy/{site.url}/"), "vary") == ["Origin"]


def test_a_switched_connection_begins_with_mapped_fields(open_gateway: GatewayProcess, site: Upstream) -> None:
    """A WebSocket's answer sets no cookie of the gateway's, and wipes nothing."""

    def handler(peer: Peer) -> None:
        peer.read_request()
        peer.send(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b'Sec-WebSocket-Accept: x\r\nSet-Cookie: api_proxy_admin=evil; Path=/api\r\nClear-Site-Data: "*"\r\n\r\n'
        )

    site.handler = handler
    head = f"GET /proxy/{site.url}/ws HTTP/1.1\r\nHost: g\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    told = open_gateway.raw(head.encode())
    assert told.startswith(b"HTTP/1.1 101 ")
    assert b"Sec-WebSocket-Accept: x\r\n" in told
    assert f"Path=/proxy/{site.url}/api\r\n".encode() in told
    assert b"Set-Cookie: api_proxy_admin" not in told
    assert b"Clear-Site-Data" not in told


def test_a_service_worker_is_refused(open_gateway: GatewayProcess, site: Upstream) -> None:
    """It would stand between the browser and all of the gateway's paths below it."""
    reply = open_gateway.request("GET", f"/proxy/{site.url}/sw.js", headers={"Service-Worker": "script"})
    assert (reply.status, reply.json()["error"]["code"]) == (403, "service_worker_refused")
    assert not site.seen


@pytest.mark.parametrize(
    ("asked", "realm"),
    [
        ('Basic realm="members", charset="UTF-8"', "members"),
        ("Basic realm=members", "members"),
        ("BASIC Realm = members", "members"),
        ('Basic realm="x", realm="https://a.example members"', "x"),  # chromium takes the last one
        ('Basic x="realm=", realm="https://a.example members"', ", realm="),
        ('Bearer, Basic realm="m\\"x\\""', "mx"),
        ("Basic", ""),
    ],
)
def test_realms_tell_sites_apart(open_gateway: GatewayProcess, site: Upstream, asked: str, realm: str) -> None:
    """A browser sends a password again for the same realm of the same host, and here all sites have one host."""
    site.handler = answering(b"", f"WWW-Authenticate: {asked}\r\n", "401 Unauthorized")
    reply = open_gateway.request("GET", f"/proxy/{site.url}/")
    assert values(reply, "www-authenticate") == [f'Basic realm="{site.url} {realm}", charset="UTF-8"']


@pytest.mark.parametrize(
    ("asked", "told"),
    [("NTLM", []), ("Negotiate", []), ('Digest realm="x", nonce="1"', []), ('Bearer realm="x"', ['Bearer realm="x"'])],
)
def test_schemes_that_would_prove_who_a_person_is_to_us_are_not_passed_on(
    open_gateway: GatewayProcess, site: Upstream, asked: str, told: list[str]
) -> None:
    """A browser may answer them unasked, for a host of its own network such as the gateway's; the site would get it."""
    site.handler = answering(b"", f"WWW-Authenticate: {asked}\r\n", "401 Unauthorized")
    assert values(open_gateway.request("GET", f"/proxy/{site.url}/"), "www-authenticate") == told


# --- bodies ---


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
        ("gzip", gzip.compress(b"<p>" * 9000)[:-9]),
        ("gzip", b"no gzip"),
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
        assert body in (b"no gzip", b"\xff\xff\xff")
        assert b"upstream_protocol_error" in raw


def test_an_unknown_coding_passes_untouched(open_gateway: GatewayProcess, site: Upstream) -> None:
    """What cannot be read cannot be rewritten; the browser may know it. The policy confines it all the same."""
    site.handler = answering(b"secret", HTML + "Content-Encoding: future\r\n")
    reply = open_gateway.request("GET", f"/proxy/{site.url}/")
    assert (reply.body, reply.field("content-encoding")) == (b"secret", "future")


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
    (line,) = wait_until(
        lambda: [line for line in open_gateway.read_log().splitlines() if f"request_id={request_id}" in line],
        "the line of the request",
    )
    assert f"mapping=/proxy upstream=127.0.0.1:{site.port} status=200" in line
    assert f"response_bytes={len(reply.body)} " in line
    assert "hidden" not in open_gateway.read_log()
    assert "canary" not in open_gateway.read_log()


# --- who may ---


def test_pages_can_be_switched_off(start_gateway: Callable[..., GatewayProcess], site: Upstream) -> None:
    """WEB_PROXY=off: nothing is asked of any site."""
    gateway = start_gateway(WEB_PROXY="off")
    reply = gateway.request("GET", f"/proxy/{site.url}/")
    assert (reply.status, reply.json()["error"]["code"]) == (404, "web_proxy_off")
    assert not site.seen
    assert "/proxy" not in gateway.request("GET", "/stats").json()["endpoints"]
    form = gateway.request("GET", "/proxy/")
    assert (form.status, b"web_proxy_off" in form.body) == (404, True)


def test_an_open_door_to_the_world_is_warned_of(start_gateway: Callable[..., GatewayProcess]) -> None:
    """The log says so at the start, and what EGRESS_ALLOW means then; on loopback alone it is as it should be."""
    to_all = start_gateway(WEB_PROXY="open", HOST="0.0.0.0").read_log()
    assert "whoever reaches 0.0.0.0 may see web pages" in to_all
    assert "can read what EGRESS_ALLOW opens" in to_all
    assert "WEB_PROXY" not in start_gateway(WEB_PROXY="open", EGRESS_ALLOW="").read_log()


def test_without_an_admin_token_nobody_can_be_let_in(redis_url: str, site: Upstream) -> None:
    """The default is closed, not open."""
    gateway = GatewayProcess(redis_url, admin_token="").start()
    reply = gateway.request("GET", f"/proxy/{site.url}/")
    assert (reply.status, reply.json()["error"]["code"]) == (503, "web_proxy_unavailable")
    gateway.stop()


def test_strangers_are_asked_to_log_in(token_gateway: GatewayProcess, site: Upstream) -> None:
    """401 for nobody, for a wrong token, for a forged or foreign ticket and for a made-up cookie."""
    expires_s = int(time.time()) + 60
    foreign = Tickets(ADMIN_TOKEN).issue("203.0.113.9", expires_s)
    for path, headers in [
        (f"/proxy/{site.url}/", {}),
        (f"/proxy/{site.url}/", {"Proxy-Authorization": "Bearer wrong"}),
        (f"/proxy/~{foreign}/{site.url}/", {}),
        (f"/proxy/~{Tickets('other').issue('127.0.0.1', expires_s)}/{site.url}/", {}),
        (f"/proxy/~{Tickets(ADMIN_TOKEN).issue('127.0.0.1', 1)}/{site.url}/", {}),
        (f"/proxy/{site.url}/", {"Cookie": "api_proxy_web=made.up"}),
    ]:
        reply = token_gateway.request("GET", path, headers=headers)
        assert (reply.status, reply.json()["error"]["code"]) == (401, "login_required"), (path, headers)
    assert not site.seen


def test_a_program_shows_the_admin_token_which_goes_no_further(token_gateway: GatewayProcess, site: Upstream) -> None:
    """In Proxy-Authorization, and then Authorization is the site's; or in Authorization alone, and then nobody's."""
    shown = {"Proxy-Authorization": f"Bearer {ADMIN_TOKEN}", "Authorization": "Bearer for-the-site"}
    assert token_gateway.request("GET", f"/proxy/{site.url}/", headers=shown).status == 200
    assert site.seen[-1].field("authorization") == "Bearer for-the-site"
    alone = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    assert token_gateway.request("GET", f"/proxy/{site.url}/", headers=alone).status == 200
    assert ADMIN_TOKEN not in "".join(seen.head.decode("latin-1") for seen in site.seen)


@pytest.mark.parametrize("written", ["Bearer {}", "bearer   {}", "{}", "Bearer\t{}", "Token {}"])
def test_the_admins_token_leaves_nowhere_open_either(
    open_gateway: GatewayProcess, site: Upstream, written: str
) -> None:
    """A script that sends it to every address of the gateway does not give it away, however it writes it."""
    token = written.format(ADMIN_TOKEN)
    open_gateway.request("GET", f"/proxy/{site.url}/", headers={"Authorization": token})
    assert site.seen[-1].field("authorization") is None


@pytest.mark.own_server  # others join what is repeated
def test_the_admins_token_does_not_leave_behind_another_one(open_gateway: GatewayProcess, site: Upstream) -> None:
    """Each field is looked at, not the first alone."""
    fields = f"Host: g\r\nConnection: close\r\nAuthorization: Bearer x\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n\r\n"
    open_gateway.raw(f"GET /proxy/{site.url}/ HTTP/1.1\r\n{fields}".encode())
    assert [value for name, value in site.seen[-1].fields if name == "Authorization"] == ["Bearer x"]


def test_wrong_tokens_lock_the_address(token_gateway: GatewayProcess, site: Upstream) -> None:
    """Guessing here is no easier than at the admin's door."""
    wrong = {"Proxy-Authorization": "Bearer wrong"}
    statuses = [token_gateway.request("GET", f"/proxy/{site.url}/", headers=wrong).status for _ in range(6)]
    assert statuses == [401] * 5 + [429]


def test_a_login_opens_pages_by_a_ticket_in_their_addresses(token_gateway: GatewayProcess, site: Upstream) -> None:
    """The login's cookie leads to an address with a ticket, which links, redirects and cookies then keep."""
    body, kind = json.dumps({"token": ADMIN_TOKEN}), {"Content-Type": "application/json"}
    login = token_gateway.request("POST", "/api/admin/login", body, kind)
    cookies = {value.partition("=")[0]: value for value in values(login, "set-cookie")}
    assert "Path=/api;" in cookies["api_proxy_admin"] + ";"
    web = cookies["api_proxy_web"]
    assert all(part in web for part in ("HttpOnly", "Path=/proxy", "SameSite=Strict"))
    site.handler = answering(b"<img src=/a.png><a href=b>", HTML + "Set-Cookie: s=1; Path=/\r\n")
    led = token_gateway.request("GET", f"/proxy/{site.url}/", headers={"Cookie": web.partition(";")[0]})
    assert led.status == 307
    where = led.field("location") or ""
    ticket = re.fullmatch(rf"(/proxy/~[\w.-]+/){re.escape(site.url)}/", where)
    assert ticket is not None, where
    page = token_gateway.request("GET", where)  # as what a page loads: without any cookie
    assert page.status == 200
    assert page.body.decode() == f"<img src={ticket[1]}{site.url}/a.png><a href=b>"
    assert f"Path={where}" in (page.field("set-cookie") or "")
    assert "private" in values(page, "cache-control")
    assert site.seen[-1].field("cookie") is None
    assert site.seen[-1].target == "/"


def test_a_stale_ticket_is_replaced_where_the_login_still_stands(token_gateway: GatewayProcess, site: Upstream) -> None:
    """A client whose address changed is led to a ticket of its own."""
    tickets, expires_s = Tickets(ADMIN_TOKEN), int(time.time()) + 60
    cookie = {"Cookie": f"a=b; api_proxy_web={tickets.issue('browser', expires_s)}"}
    old = tickets.issue("203.0.113.9", expires_s)
    reply = token_gateway.request("GET", f"/proxy/~{old}/{site.url}/x?y", headers=cookie)
    fresh = tickets.issue("127.0.0.1", expires_s)
    assert (reply.status, reply.field("location")) == (307, f"/proxy/~{fresh}/{site.url}/x?y")


# --- what it may reach ---


def test_private_addresses_are_not_dialled(start_gateway: Callable[..., GatewayProcess], site: Upstream) -> None:
    """However they are spelt: 403, one line in the log, no connection."""
    gateway = start_gateway(WEB_PROXY="open", EGRESS_ALLOW="", EGRESS_PORTS="*")
    for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "[64:ff9b::7f00:1]"):
        reply = gateway.request("GET", f"/proxy/http://{host}:{site.port}/")
        if reply.status == 307:
            reply = gateway.request("GET", reply.field("location") or "")
        assert (reply.status, reply.json()["error"]["code"]) == (403, "address_refused"), host
    assert not site.connections
    assert gateway.read_log().count("address_refused: ") == 6


def test_a_redirect_gains_nothing(start_gateway: Callable[..., GatewayProcess], site: Upstream) -> None:
    """The hop that it leads to is a request like any other."""
    gateway = start_gateway(WEB_PROXY="open", EGRESS_ALLOW="127.0.0.1", EGRESS_PORTS="*")
    site.handler = answering(b"", "Location: http://169.254.169.254/latest/meta-data/\r\n", "302 Found")
    hop = gateway.request("GET", f"/proxy/{site.url}/").field("location") or ""
    assert hop == "/proxy/http://169.254.169.254/latest/meta-data/"
    reply = gateway.request("GET", hop)
    assert (reply.status, reply.json()["error"]["code"]) == (403, "address_refused")


def test_the_gateway_does_not_proxy_itself(open_gateway: GatewayProcess) -> None:
    """Not even where loopback is allowed: a request would go round for ever."""
    reply = open_gateway.request("GET", f"/proxy/{open_gateway.url}/stats")
    assert (reply.status, reply.json()["error"]["code"]) == (403, "address_refused")


def test_odd_ports_need_leave(start_gateway: Callable[..., GatewayProcess], site: Upstream) -> None:
    """A web page is at 80, 443, 8080 or 8443, or where EGRESS_PORTS says."""
    gateway = start_gateway(WEB_PROXY="open", EGRESS_PORTS="")
    reply = gateway.request("GET", f"/proxy/{site.url}/")
    assert (reply.status, reply.json()["error"]["code"]) == (403, "address_refused")
    assert "EGRESS_PORTS" in reply.json()["error"]["message"]
    assert not site.connections
