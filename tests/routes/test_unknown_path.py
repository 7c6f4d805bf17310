"""Paths that nothing serves: what they are told, and pages for persons."""

from __future__ import annotations

import pytest

from tests.support.gateway import GatewayProcess

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("POST", "/v1/chat/completions", "ask for /openai/v1/chat/completions"),
        ("POST", "/v1/messages", "ask for /claude/v1/messages"),
        ("POST", "/V1/chat/completions", "ask for /openai/v1/chat/completions"),
        ("POST", "/v1beta/models/x:generateContent", "ask for /gemini/v1beta/models/x:generateContent"),
        ("GET", "/opnai/v1/models?key=secret", "(is it /openai/v1/models?);"),
        ("GET", "/OPENAI/v1/models", "(is it /openai/v1/models?);"),
        ("GET", "//openai/v1/models", "no mapping for //openai/v1/models (is it /openai/v1/models?);"),
        ("GET", "/%E6%9C%AA%E7%9F%A5/%61", "no mapping for /未知/a;"),
    ],
)
def test_an_error_says_what_was_meant(gateway: GatewayProcess, method: str, path: str, told: str) -> None:
    """Status and code stay; the words name what would be served, and hold no query."""
    reply = gateway.request(method, path, b"{}" if method == "POST" else None)
    error = reply.json()["error"]
    assert (reply.status, error["code"], error["type"]) == (404, "mapping_not_found", "invalid_request_error")
    assert told in error["message"]
    assert ("prefix of a mapping is missing" in error["message"]) == told.startswith("ask")
    assert "secret" not in error["message"]


def test_the_field_of_anthropics_clients_is_heard(gateway: GatewayProcess) -> None:
    """They ask for /v1/models, as all do."""
    reply = gateway.request("GET", "/v1/models", headers={"anthropic-version": "2023-06-01"})
    assert "ask for /claude/v1/models" in reply.json()["error"]["message"]


def test_a_long_path_is_cut_in_the_words(gateway: GatewayProcess) -> None:
    """An error is no echo."""
    reply = gateway.request("GET", "/v1/" + "a" * 5000)
    assert reply.status == 404
    assert len(reply.body) < 1000


def test_a_browser_gets_a_page_with_the_list(gateway: GatewayProcess) -> None:
    """404 all the same, under the strict policy; the prefixes stand there, and no target."""
    gateway.map("/listed", "http://target.example:8080/secret-path")
    reply = gateway.request("GET", "/opnai/v1?key=secret", headers=BROWSER)
    text = reply.body.decode()
    gateway.admin("DELETE", "/api/mappings/listed")
    assert (reply.status, reply.field("content-type")) == (404, "text/html; charset=utf-8")
    assert reply.field("vary") == "Accept"
    assert "default-src 'none'" in (reply.field("content-security-policy") or "")
    assert '<a href="/openai/v1">/openai/v1</a>' in text
    assert "<code>/listed</code>" in text
    assert "target.example" not in text
    assert "secret" not in text
    assert reply.field("x-request-id")
    assert gateway.request("HEAD", "/opnai/v1", headers=BROWSER).body == b""


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "application/json",
        "",
        "text/html;q=0",
        "text/html; Q=0.000, */*",
        "text/html;level=1 ;q=0.0",
        "text/htmlx",
    ],
)
def test_programs_get_json(gateway: GatewayProcess, accept: str) -> None:
    """What accepts anything accepts JSON, and what refuses HTML wants it."""
    reply = gateway.request("GET", "/nowhere", headers={"Accept": accept})
    assert (reply.status, reply.json()["error"]["code"]) == (404, "mapping_not_found")


@pytest.mark.parametrize(
    "accept", ["text/html", "TEXT/HTML;q=0.01", "a/b;q=0, text/html;level=1", "text/html, */*;q=0"]
)
def test_what_accepts_html_gets_a_page(gateway: GatewayProcess, accept: str) -> None:
    """However little, and whatever else it refuses."""
    reply = gateway.request("GET", "/nowhere", headers={"Accept": accept})
    assert (reply.status, reply.field("content-type")) == (404, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    "path",
    [
        "/<script>alert(1)</script>",
        '/opnai/"onmouseover="alert(1)',
        "/opnai/'><img/src=x/onerror=alert(1)>",
        "/%3Cscript%3Ealert(1)%3C/script%3E",
        "/opnai/<!--suggestion--><script>",
        "/%00%FF<script>",
    ],
)
def test_a_hostile_path_is_only_text(gateway: GatewayProcess, path: str) -> None:
    """In the text and in the link."""
    text = gateway.request("GET", path, headers=BROWSER).body.decode()
    assert "alert" not in path or "alert" in text
    main = text.partition("<main>")[2]
    assert main
    assert "<script" not in main
    assert "<img" not in main
    assert '"onmouseover' not in main


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/admin/", "/admin"),
        ("/dashboard", "/"),
        ("/dashboard/", "/"),
        ("/index", "/"),
        ("/stats/?window=24h", "/stats?window=24h"),
        ("/health/", "/health"),
    ],
)
def test_other_spellings_of_our_own_pages_lead_there(gateway: GatewayProcess, path: str, meant: str) -> None:
    """The query goes along."""
    reply = gateway.request("GET", path)
    assert (reply.status, reply.field("location")) == (302, meant)
    assert gateway.request("GET", meant).status == 200


def test_a_mapping_called_dashboard_goes_first(gateway: GatewayProcess) -> None:
    """The operator said so."""
    gateway.map("/dashboard", "http://127.0.0.1:9")
    reply = gateway.request("GET", "/dashboard")
    gateway.admin("DELETE", "/api/mappings/dashboard")
    assert (reply.status, reply.json()["error"]["type"]) == (502, "upstream_error")
