"""What the door of channels answers by itself: lists of models, refusals in each dialect, no WebSockets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.api_calls import BEARER, PATHS, TOKEN, Accounts, refused
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Peer

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


def said(accounts: Accounts, method: str, path: str, headers: dict[str, str] | None = None) -> Any:
    reply = accounts.gateway.request(method, path, headers={**BEARER, **(headers or {})})
    assert reply.status == 200, reply.body
    return reply.json()


@pytest.fixture
def listed(accounts: Accounts) -> Accounts:
    """Channels of which some serve, and one is disabled."""
    accounts.add(
        "a", (), dialects=["openai", "responses"], models=[{"name": "gpt-b"}, {"name": "gpt-a"}, {"name": "*"}]
    )
    accounts.add("b", (), dialects=["openai"], models=[{"name": "gpt-a", "upstream_name": "other"}])
    accounts.add("c", (), dialects=["anthropic"], models=[{"name": "claude-x"}, {"name": "claude-y"}])
    accounts.add("d", (), dialects=["gemini"], models=[{"name": "gemini-x"}])
    accounts.add("off", (), dialects=["openai", "anthropic"], models=[{"name": "hidden"}], enabled=False)
    return accounts


def test_models_are_listed_in_the_shape_of_the_dialect_that_asks(listed: Accounts) -> None:
    """What enabled channels of that dialect serve, each once, never `*`; nobody else is asked."""
    openai = said(listed, "GET", "/v1/models")
    assert openai["object"] == "list"
    assert [model["id"] for model in openai["data"]] == ["gpt-a", "gpt-b"]
    assert all(model["object"] == "model" and isinstance(model["created"], int) for model in openai["data"])
    anthropic = said(listed, "GET", "/v1/models?limit=1000", {"anthropic-version": "2023-06-01"})
    assert [model["id"] for model in anthropic["data"]] == ["claude-x", "claude-y"]
    assert (anthropic["first_id"], anthropic["last_id"], anthropic["has_more"]) == ("claude-x", "claude-y", False)
    gemini = said(listed, "GET", "/v1beta/models?pageSize=50")
    assert [model["name"] for model in gemini["models"]] == ["models/gemini-x"]
    compatible = said(listed, "GET", "/v1beta/openai/models")
    assert [model["id"] for model in compatible["data"]] == ["gemini-x"]
    codex = said(listed, "GET", "/v1/models?client_version=0.171.0")
    assert codex["models"] == []
    assert codex["data"] == openai["data"]
    assert not listed.upstream.seen


def test_one_model_is_told_or_not_found(listed: Accounts) -> None:
    """Whatever would be served: with `*` any name is; where none serves it the error is the dialect's."""
    assert said(listed, "GET", "/v1/models/gpt-b")["id"] == "gpt-b"
    assert said(listed, "GET", "/v1/models/of%2Fany")["id"] == "of/any"
    versioned = {"anthropic-version": "2023-06-01"}
    told = said(listed, "GET", "/v1/models/claude-x", versioned)
    assert (told["type"], told["id"]) == ("model", "claude-x")
    reply = listed.gateway.request("GET", "/v1/models/gpt-b", headers=BEARER | versioned)
    assert refused(reply) == (404, "model_not_found", "false")
    assert reply.json()["error"]["type"] == "not_found_error"


def test_a_head_of_a_list_has_no_body(listed: Accounts) -> None:
    reply = listed.gateway.request("HEAD", "/v1/models", headers=BEARER)
    assert (reply.status, reply.body) == (200, b"")
    assert int(reply.field("content-length") or 0) > 0


@pytest.mark.parametrize(
    ("dialect", "kind"),
    [
        ("openai", "invalid_request_error"),
        ("responses", "invalid_request_error"),
        ("anthropic", "not_found_error"),
        ("gemini", "NOT_FOUND"),
    ],
)
def test_a_model_that_nobody_serves_is_not_found(accounts: Accounts, dialect: str, kind: str) -> None:
    """And disabled channels are nobody. SDKs are told not to ask again."""
    accounts.add("off", (), enabled=False)
    accounts.add("other", (), models=[{"name": "n"}])
    reply = accounts.gateway.request("POST", PATHS[dialect], '{"model": "m"}', BEARER)
    assert refused(reply) == (404, "model_not_found", "false")
    error = reply.json()["error"]
    assert kind in (error.get("type"), error.get("status"))
    assert reply.field("x-gateway-attempts") == "0"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("{", "invalid_json"),
        ('{"model": "m", "model": "n"}', "invalid_json"),
        ('{"stream": true, "model": "m", "stream": false}', "invalid_json"),
        ("[]", "invalid_json"),
        ('{"messages": []}', "model_missing"),
    ],
)
def test_a_body_that_cannot_be_served_is_told_so(accounts: Accounts, body: str, code: str) -> None:
    accounts.add("one")
    reply = accounts.gateway.request("POST", PATHS["anthropic"], body, BEARER)
    assert refused(reply) == (400, code, None)
    assert reply.json()["error"]["type"] == "invalid_request_error"
    assert not accounts.upstream.seen


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/messages", "/v1beta/models/m:streamGenerateContent"])
def test_websockets_are_refused_at_once(accounts: Accounts, path: str) -> None:
    """Before any other check, also while there is no channel: Codex then asks by HTTP in a moment."""
    assert refused(accounts.gateway.request("GET", path, headers=UPGRADE)) == (426, "upgrade_unsupported", None)
    accounts.add("one", ())
    assert refused(accounts.gateway.request("GET", path, headers=UPGRADE)) == (426, "upgrade_unsupported", None)
    accounts.gateway.map("/acct", "channel:one")
    reply = accounts.gateway.request("GET", f"/acct{path}", headers=UPGRADE)
    accounts.gateway.admin("DELETE", "/api/mappings/acct")
    assert refused(reply) == (426, "upgrade_unsupported", None)


def test_what_probes_ask_for_is_answered_without_a_token(api_gateway: GatewayProcess) -> None:
    """Claude Code asks for the head of the base URL, and posts its telemetry."""
    assert api_gateway.request("HEAD", "/").status == 200
    for path in ("/api/event_logging/batch", "/api/event_logging/v2/batch"):
        reply = api_gateway.request(
            "POST", path, json.dumps({"events": [1] * 1000}), {"Content-Type": "application/json"}
        )
        assert (reply.status, reply.json()) == (200, {})


def test_a_refused_key_of_ours_is_told_as_such(accounts: Accounts) -> None:
    """As 502 with nothing to try again, with what was tried in the fields, and without the key's text."""
    accounts.add("one", ("sk-secret-of-ours-1", "sk-secret-of-ours-2"), models=[{"name": "m", "upstream_name": "real"}])

    def refuse(peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            key = (seen.field("authorization") or "").removeprefix("Bearer ")
            told = {"error": {"message": f"Incorrect API key provided: {key}", "code": "invalid_api_key"}}
            peer.answer(json.dumps(told).encode(), "401 Unauthorized")

    accounts.upstream.handler = refuse
    reply = accounts.gateway.request("POST", PATHS["openai"], '{"model": "m"}', BEARER)
    assert refused(reply) == (502, "upstream_credentials", "false")
    assert (reply.field("x-gateway-channel"), reply.field("x-gateway-attempts")) == ("one", "2")
    assert b"sk-secret" not in reply.body + str(reply.fields).encode()
    again = accounts.gateway.request("POST", PATHS["openai"], '{"model": "m"}', BEARER)
    assert refused(again) == (503, "no_fit_key", "false")


def test_the_upstreams_word_is_not_taken_for_ours(accounts: Accounts) -> None:
    """Its fields of our names, and its cookies, do not pass; all others do. The model that was asked for is told."""
    accounts.add("one", models=[{"name": "m", "upstream_name": "vendor/Größe 1"}])

    def answer(peer: Peer) -> None:
        while peer.read_request() is not None:
            fields = "X-Gateway-Error: theirs\r\nX-Gateway-Channel: theirs\r\nX-Gateway-Request-Id: theirs\r\n"
            fields += "Set-Cookie: a=b\r\nX-Request-Id: req_1\r\nContent-Type: application/json\r\n"
            peer.answer(b'{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}', fields=fields)

    accounts.upstream.handler = answer
    reply = accounts.gateway.request("POST", PATHS["openai"], '{"model": "m"}', BEARER)
    told = [(name.lower(), value) for name, value in reply.fields]
    assert ("x-request-id", "req_1") in told
    assert ("x-gateway-channel", "one") in told
    assert ("x-gateway-model", "vendor/Gr%C3%B6%C3%9Fe%201") in told
    assert "theirs" not in str(told)
    assert not any(name in ("set-cookie", "x-gateway-error") for name, _ in told)


def test_pages_of_other_origins_may_ask(accounts: Accounts) -> None:
    """A preflight needs no token; answers and refusals can be read. `CORS` switches it off, as for mappings."""
    accounts.add("one")
    asks = {"Origin": "https://chat.example", "Access-Control-Request-Method": "POST"}
    preflight = accounts.gateway.request("OPTIONS", PATHS["openai"], headers=asks)
    assert (preflight.status, preflight.field("access-control-allow-origin")) == (204, "*")
    for headers in (BEARER, {}):
        reply = accounts.gateway.request(
            "POST", PATHS["openai"], '{"model": "m"}', headers | {"Origin": "https://chat.example"}
        )
        assert reply.field("access-control-allow-origin") == "*"
        assert reply.field("access-control-expose-headers") == "*"


def test_a_document_of_an_upstreams_is_confined(accounts: Accounts) -> None:
    """What a browser would run of it runs with an origin of its own: ours is the admin's."""
    accounts.add("one", models=[{"name": "*"}])

    def page(peer: Peer) -> None:
        while peer.read_request() is not None:
            peer.answer(b"<script>1</script>", fields="Content-Type: text/html\r\nClear-Site-Data: *\r\n")

    accounts.upstream.handler = page
    target = f"/v1/files/f/content?key={TOKEN}"
    reply = accounts.gateway.request("GET", target, headers={"Accept": "text/html", "Sec-Fetch-Dest": "document"})
    assert "sandbox" in (reply.field("content-security-policy") or "")
    assert reply.field("clear-site-data") is None


def test_statistics_count_calls_of_channels_by_dialect(accounts: Accounts) -> None:
    """As soon as there is a channel; none of them is named."""
    before = accounts.gateway.request("GET", "/stats").json()
    accounts.add("secret-name", ())
    after = accounts.gateway.request("GET", "/stats")
    new = after.json()["endpoints"].keys() - before["endpoints"].keys()
    assert new == {"/v1/messages", "/v1/responses", "/v1", "/v1beta"}
    assert b"secret-name" not in after.body
