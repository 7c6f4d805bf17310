"""What a mapping's answer may do in a browser, where it stands on the admin's own origin."""

from __future__ import annotations

import re

import pytest

from app.routes import web_proxy
from app.routes.admin import guard
from app.wire.browsers import FOR_AN_ORIGIN, OWN_COOKIES_BEGIN, SANDBOX
from tests.support.gateway import ROOT, GatewayProcess, Reply
from tests.support.upstream import Peer, Upstream

BROWSER = {"Sec-Fetch-Dest": "document"}
FETCH_DESTS = ["document", "iframe", "frame", "embed", "object", "empty", "image", ""]


def ask(
    gateway: GatewayProcess, upstream: Upstream, fields: str, sent: dict[str, str], status: str = "200 OK"
) -> Reply:
    """The gateway's answer where the upstream answers with these fields."""

    def serve(peer: Peer) -> None:
        while peer.read_request() is not None:
            peer.answer(b"" if status[:3] in ("204", "304") else b"<script>1</script>", status, fields)

    upstream.handler = serve
    return gateway.request("GET", "/up/", headers=sent)


def policies(reply: Reply) -> list[str]:
    return [value for name, value in reply.fields if name.lower() == "content-security-policy"]


RUN = [
    "Content-Type: text/html\r\n",
    "Content-Type: TEXT/HTML; charset=utf-8\r\n",
    "content-type:\ttext/html\r\n",
    "Content-Type: application/xhtml+xml\r\n",
    "Content-Type: image/svg+xml\r\n",
    "Content-Type: text/xml\r\n",
    "Content-Type: application/xml\r\n",
    "Content-Type: application/atom+xml\r\n",
    "Content-Type: text/xsl\r\n",
    "Content-Type: multipart/x-mixed-replace; boundary=b\r\n",
    "",
    "Content-Type: \r\n",
    "Content-Type: */*\r\n",
    "Content-Type: unknown/unknown\r\n",
    "Content-Type: application/unknown\r\n",
    "Content-Type: nonsense\r\n",
    "Content-Type: image/\r\n",
    "Content-Type: video/; codecs=x\r\n",
    "Content-Type: image/png x\r\n",
    "Content-Type: audio/<b>\r\n",
    "Content-Type: application/json\r\nContent-Type: text/html\r\n",
    "Content-Type: text/html\r\nContent-Type: application/json\r\n",
    "Content-Type: application/json, text/html\r\n",
]
INERT = [
    "Content-Type: application/json\r\n",
    "Content-Type: application/json; charset=utf-8\r\n",
    "Content-Type: text/event-stream\r\n",
    "Content-Type: text/plain\r\n",
    "Content-Type: application/pdf\r\n",
    "Content-Type: application/octet-stream\r\n",
    "Content-Type: image/png\r\n",
    "Content-Type: audio/mpeg\r\n",
    "Content-Type: text/javascript\r\n",
]


@pytest.mark.parametrize("fields", RUN)
def test_what_a_browser_would_run_gets_an_origin_of_its_own(
    gateway: GatewayProcess, upstream: Upstream, fields: str
) -> None:
    """HTML, XHTML, SVG, XML, and whatever a browser would look into to find out."""
    assert policies(ask(gateway, upstream, fields, BROWSER)) == [SANDBOX]
    assert "allow-same-origin" not in SANDBOX


@pytest.mark.parametrize("fields", INERT)
def test_what_no_browser_runs_passes_untouched(gateway: GatewayProcess, upstream: Upstream, fields: str) -> None:
    """JSON, streams, pictures and PDF (whose viewer works in no sandbox), also where a person opens them."""
    assert policies(ask(gateway, upstream, fields, BROWSER)) == []


@pytest.mark.parametrize("dest", FETCH_DESTS)
def test_a_browser_is_known_by_what_it_says_of_its_fetch(
    gateway: GatewayProcess, upstream: Upstream, dest: str
) -> None:
    """Whatever it loads, for it may show a document from its cache that came for something else."""
    assert policies(ask(gateway, upstream, "Content-Type: text/html\r\n", {"Sec-Fetch-Dest": dest})) == [SANDBOX]


@pytest.mark.parametrize("accept", ["text/html,application/xhtml+xml,*/*;q=0.8", "application/json, text/html"])
def test_a_browser_that_says_nothing_of_it_is_known_by_what_it_accepts(
    gateway: GatewayProcess, upstream: Upstream, accept: str
) -> None:
    """As in plain http from another machine, where browsers send no `Sec-Fetch-Dest`."""
    assert policies(ask(gateway, upstream, "Content-Type: text/html\r\n", {"Accept": accept})) == [SANDBOX]


@pytest.mark.parametrize("sent", [{"Origin": "null"}, {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}])
def test_what_a_script_fetches_is_held_before_the_cache_shows_it(
    gateway: GatewayProcess, upstream: Upstream, sent: dict[str, str]
) -> None:
    """In plain http a page of the same site fetches the document, accepting anything, and then goes to its address."""
    assert policies(ask(gateway, upstream, "Content-Type: text/html\r\n", {"Accept": "*/*", **sent})) == [SANDBOX]


@pytest.mark.parametrize("sent", [{}, {"Accept": "*/*"}, {"Accept": "application/json"}])
def test_a_program_gets_html_as_it_came(gateway: GatewayProcess, upstream: Upstream, sent: dict[str, str]) -> None:
    """No field is added to what a program asks for, whatever its type."""
    for fields in ("Content-Type: text/html\r\n", ""):
        assert policies(ask(gateway, upstream, fields, sent)) == []


def test_an_upstreams_own_policy_stays_beside_ours(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Browsers follow all policies at once, so it can only take more away."""
    own = "sandbox allow-scripts allow-same-origin"
    fields = f"Content-Type: text/html\r\nContent-Security-Policy: {own}\r\n"
    assert policies(ask(gateway, upstream, fields, BROWSER)) == [own, SANDBOX]


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_what_has_no_body_changes_nothing_of_what_is_kept(
    gateway: GatewayProcess, upstream: Upstream, status: str
) -> None:
    """A 304 names no type; with a policy of it a kept PDF would lose its viewer."""
    assert policies(ask(gateway, upstream, "", BROWSER, status)) == []


@pytest.mark.parametrize("sent", [BROWSER, {}])
def test_a_304_takes_the_sandbox_from_nothing_that_is_kept(
    gateway: GatewayProcess, upstream: Upstream, sent: dict[str, str]
) -> None:
    """Browsers put its fields in the place of those they keep: it brings them no policy, empty or not, and no type."""
    fields = "Content-Security-Policy: default-src *\r\ncontent-security-policy: \r\n"
    fields += 'Content-Type: text/html\r\nETag: "1"\r\n'
    reply = ask(gateway, upstream, fields, sent, "304 Not Modified")
    assert (reply.status, reply.field("etag")) == (304, '"1"')
    assert policies(reply) == ([] if sent else ["default-src *", ""])
    assert reply.field("content-type") == (None if sent else "text/html")


FOR_THE_ORIGIN = {
    "Accept-CH": "Sec-CH-UA-Model",
    "Alt-Svc": 'h3=":443"; ma=86400',
    "Clear-Site-Data": '"*"',
    "CRITICAL-CH": "Sec-CH-UA-Model",
    "Expect-CT": "max-age=86400, enforce",
    "NEL": '{"report_to": "g", "max_age": 86400}',
    "Public-Key-Pins": 'pin-sha256="x"; max-age=86400',
    "Report-To": '{"group": "g", "endpoints": [{"url": "https://collector.example/"}], "max_age": 86400}',
    "Sec-Session-Registration": '(ES256);path="/start"',
    "Secure-Session-Registration": '(ES256);path="/start"',
    "Service-Worker-Allowed": "/",
    "Set-Login": "logged-out",
    "Shared-Storage-Write": "clear",
    "strict-transport-security": "max-age=86400; includeSubDomains",
    "Use-As-Dictionary": 'match="/*"',
}
FOR_ITSELF = {
    "Content-Security-Policy-Report-Only": "default-src 'self'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Origin-Agent-Cluster": "?1",
    "Permissions-Policy": "camera=()",
    "Reporting-Endpoints": 'e="https://collector.example/"',
    "WWW-Authenticate": 'Basic realm="x"',
}


def named(reply: Reply, fields: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in reply.fields if name in fields}


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "304 Not Modified", "401 Unauthorized"])
@pytest.mark.parametrize("content_type", ["text/html", "application/json"])
def test_no_upstream_speaks_for_the_gateways_origin_to_a_browser(
    gateway: GatewayProcess, upstream: Upstream, content_type: str, status: str
) -> None:
    """What it would keep for the whole origin or host does not reach it; what is about the answer itself does."""
    fields = {"Content-Type": content_type} | FOR_THE_ORIGIN | FOR_ITSELF
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    reply = ask(gateway, upstream, lines, {"Sec-Fetch-Dest": "empty"}, status)
    assert named(reply, FOR_THE_ORIGIN) == {}
    assert named(reply, FOR_ITSELF) == FOR_ITSELF
    assert {name.lower() for name in FOR_THE_ORIGIN} == FOR_AN_ORIGIN


def test_a_program_gets_what_an_upstream_says_of_its_origin(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Nothing that is meant for browsers is taken from what others ask for."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in FOR_THE_ORIGIN.items())
    assert named(ask(gateway, upstream, lines, {}), FOR_THE_ORIGIN) == FOR_THE_ORIGIN


@pytest.mark.parametrize(
    "cookie",
    [
        "api_proxy_admin=x; Path=/api",
        "api_proxy_web=x",
        "API_PROXY_ADMIN=x",
        " \tapi_proxy_admin =x",
        "=api_proxy_admin=x",  # comes back as `api_proxy_admin=x`
        " = api_proxy_admin=x",
        "api_proxy_of_tomorrow=x",
    ],
)
def test_no_upstream_sets_a_cookie_of_ours(gateway: GatewayProcess, upstream: Upstream, cookie: str) -> None:
    """Its own cookies pass, in their order."""
    fields = f"Set-Cookie: a=api_proxy_admin\r\nSet-Cookie: {cookie}\r\nset-cookie: b=2\r\n"
    for sent in ({}, BROWSER):
        reply = ask(gateway, upstream, fields, sent)
        assert [value for name, value in reply.fields if name.lower() == "set-cookie"] == ["a=api_proxy_admin", "b=2"]


def test_every_cookie_of_ours_has_a_name_that_is_guarded(gateway: GatewayProcess) -> None:
    """All that login sets, and all names in the sources."""
    names = {guard.COOKIE, web_proxy.COOKIE}
    sources = [path.read_text() for path in (ROOT / "app" / "routes").rglob("*.py")]
    names |= {name for source in sources for name in re.findall(r"""COOKIE = "(\w+)\"""", source)}
    reply = gateway.request(
        "POST", "/api/admin/login", f'{{"token":"{gateway.admin_token}"}}', {"Content-Type": "application/json"}
    )
    names |= {value.partition("=")[0] for name, value in reply.fields if name.lower() == "set-cookie"}
    assert len(names) >= 2
    assert all(name.startswith(OWN_COOKIES_BEGIN) for name in names if name != "/proxy")


@pytest.mark.parametrize("sent", [{"Service-Worker": "script"}, {"Sec-Fetch-Dest": "serviceworker"}])
def test_no_answer_becomes_a_service_worker(gateway: GatewayProcess, upstream: Upstream, sent: dict[str, str]) -> None:
    """Browsers alone send these fields, and scripts cannot."""
    before = len(upstream.seen)
    reply = ask(gateway, upstream, "Content-Type: text/javascript\r\n", sent)
    assert (reply.status, reply.json()["error"]["code"]) == (403, "service_worker_refused")
    assert len(upstream.seen) == before


def test_no_upstream_says_what_only_the_gateway_knows(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Its own id of the request, and that an error is ours, which its errors bear with their code."""

    def answer(peer: Peer) -> None:
        if peer.read_request() is not None:
            fields = "X-Gateway-Error: theirs\r\nx-gateway-request-id: theirs\r\nX-Request-Id: req_1\r\n"
            peer.answer(status="500 Oops", fields=f"{fields}Connection: close\r\n")

    upstream.handler = answer
    reply = gateway.request("GET", "/up/x")
    assert (reply.field("x-gateway-error"), reply.field("x-request-id")) == (None, "req_1")
    assert len(reply.field("x-gateway-request-id") or "") == 32
    assert "theirs" not in str(reply.fields)
    upstream.close()
    reply = gateway.request("GET", "/up/x")
    assert (reply.status, reply.field("x-gateway-error")) == (502, "upstream_unreachable")
    assert reply.field("x-gateway-request-id") == reply.field("x-request-id")
