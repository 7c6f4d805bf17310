"""Which of a client's fields go on to the upstream."""

from __future__ import annotations

import pytest

from app.wire.http import headers
from app.wire.http.headers import MAX_KNOWN_NAME_BYTES, MAX_KNOWN_NAMES, Headers, outbound

OF_A_HOP = """
CF-Connecting-IP cf-connecting-ipv6 CF-Visitor CF-Ray CF-IPCountry CF-Worker CF-EW-Via Cf-Access-Jwt-Assertion
Cf-Access-Authenticated-User-Email CDN-Loop True-Client-IP X-Heroku-Queue-Depth X-Request-Start Connect-Time
Total-Route-Time Fly-Client-IP Fly-Region fly-request-id X-Vercel-Id X-Vercel-Forwarded-For X-Amzn-Trace-Id
x-amzn-oidc-data X-Envoy-External-Address x-envoy-expected-rq-timeout-ms X-Azure-ClientIP X-Arr-Log-Id
X-MS-Client-Principal-Name X-Appengine-Country CloudFront-Viewer-Country X-Amz-Cf-Id Fastly-Client-IP
X-Nf-Client-Connection-Ip X-Railway-Edge DO-Connecting-IP X-Goog-Authenticated-User-Email X-IP-Token
Incap-Client-IP X-Sucuri-ClientIP Ali-CDN-Real-IP
""".split()
FORWARDED = """
X-Forwarded-For x-forwarded-proto X-Forwarded-Host X-Forwarded-Port X-Forwarded-Client-Cert Forwarded Via X-Real-IP
X-Client-IP X-Original-Forwarded-For X-Original-Host X-Varnish X-Url-Scheme Front-End-Https
""".split()
OF_CLIENTS = """
CF-AIG-Authorization cf-aig-metadata cf-aig-skip-cache CF-Access-Client-Id CF-Access-Client-Secret Fly-Prefer-Region
X-Vercel-Protection-Bypass X-Amzn-Bedrock-Trace X-Amz-Date X-Amz-Security-Token X-Goog-Api-Key X-Goog-User-Project
X-Ms-Client-Request-Id X-Request-Id X-Client-Name Client-Id traceparent X-Cloud-Trace-Context
""".split()
REST: Headers = [("Authorization", "Bearer x"), ("Accept", "*/*")]


def sent(names: list[str], forwarded_fields: str, connection: str = "") -> list[str]:
    """Which of the names, each of them a field, go on; all else goes on as it stood."""
    asked = [REST[0], ("Host", "gateway.example"), *[(name, "1") for name in names], REST[1]]
    went = outbound(asked, "up.example", connection, forwarded_fields)
    assert (went[:2], went[-1]) == ([REST[0], ("Host", "up.example")], REST[1])
    return [name for name, _ in went[2:-1]]


@pytest.mark.parametrize("forwarded_fields", ["auto", "drop", "pass"])
@pytest.mark.parametrize("name", OF_A_HOP)
def test_what_only_a_cdn_or_a_router_adds_never_leaves(name: str, forwarded_fields: str) -> None:
    """It names the user, and upstreams behind the same CDN refuse it."""
    for spelled in (name, name.lower(), name.upper()):
        assert sent(["X-A", spelled, "X-B"], forwarded_fields) == ["X-A", "X-B"]


@pytest.mark.parametrize("forwarded_fields", ["auto", "drop", "pass"])
@pytest.mark.parametrize("name", OF_CLIENTS)
def test_what_clients_send_there_passes(name: str, forwarded_fields: str) -> None:
    """Keys and options of services whose names begin alike."""
    assert sent([name], forwarded_fields) == [name]


@pytest.mark.parametrize("name", FORWARDED)
def test_what_any_proxy_may_have_added_goes_by_the_setting(name: str) -> None:
    """`auto` lets a direct client's pass, and not those of a CDN's client, wherever the CDN's field stands."""
    assert sent([name], "drop") == []
    assert sent([name, "CF-Ray"], "pass") == [name]
    assert sent([name], "auto") == [name]
    assert sent([name, "X-A", "CF-Ray"], "auto") == sent(["CF-Ray", "X-A", name], "auto") == ["X-A"]


def test_what_the_connection_names_stays_on_it() -> None:
    """RFC 9110, 7.6.1; but `Host` is nobody's to take away."""
    assert sent(["X-A", "Keep-Alive", "TE", "X-B", "Content-Length"], "auto", "X-a, host") == ["X-B"]


def test_a_request_without_host_gets_one() -> None:
    """As from a server that speaks WSGI only."""
    assert outbound(REST, "up.example", "", "auto") == [("Host", "up.example"), *REST]


def test_odd_names_are_not_remembered_for_good() -> None:
    """A flood of them neither grows what is remembered nor changes what passes."""
    for number in range(MAX_KNOWN_NAMES + 10):
        assert sent([f"X-Odd-{number}"], "auto") == [f"X-Odd-{number}"]
    longest = "X-" + MAX_KNOWN_NAME_BYTES * "a"
    assert sent([longest, "CF-Ray", "CF-" + MAX_KNOWN_NAME_BYTES * "a"], "auto") == [longest]
    assert len(headers._KINDS) <= MAX_KNOWN_NAMES
    assert longest not in headers._KINDS
