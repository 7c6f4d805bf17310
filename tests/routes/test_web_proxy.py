"""Web pages through the gateway: their addresses, what goes to the site, what fields come back."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from app.wire.pages.address import parse_address
from app.wire.pages.cookies import cookie_from
from app.wire.pages.policy import OWN_POLICY
from tests.support.answers import HTML, answering, values
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Peer, Upstream

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
