"""Every call of ccLoad's README, as it stands there but for addresses, passwords and tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.api_calls import BEARER, TOKEN, Accounts
from tests.support.gateway import GatewayProcess, Reply

JSON = {"Content-Type": "application/json"}


class Ccload:
    """One who has logged in by its README."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.gateway = gateway
        reply = gateway.request("POST", "/login", json.dumps({"password": gateway.admin_token}), JSON)
        self.bearer = {"Authorization": f"Bearer {reply.json()['token']}"}

    def ask(self, method: str, path: str, body: str | bytes | None = None, **fields: str) -> Reply:
        return self.gateway.request(method, path, body, self.bearer | JSON | fields)


@pytest.fixture
def ccload(accounts: Accounts) -> Iterator[Ccload]:
    """On a gateway without channels."""
    user = Ccload(accounts.gateway)
    yield user
    assert user.ask("POST", "/logout").json()["success"] is True


def with_address(body: str, accounts: Accounts) -> str:
    """Its example, with our upstream in place of the providers."""
    return body.replace("https://api.anthropic.com", accounts.upstream.url).replace(
        "https://api.openai.com", accounts.upstream.url
    )


def calls_reach_a_key(accounts: Accounts, path: str, body: str, key: str, **fields: str) -> None:
    """By the access token that a client shows."""
    reply = accounts.gateway.request("POST", path, body, BEARER | fields)
    assert reply.status == 200, reply.body
    seen = accounts.upstream.seen[-1]
    shown = {name.lower(): value for name, value in seen.fields}
    assert shown.get("x-api-key", shown.get("authorization", "").removeprefix("Bearer ")) == key
    assert TOKEN not in str(seen.fields)


MESSAGES = """{
    "model": "claude-sonnet-4-6",
    "max_tokens": 1024,
    "messages": [
      {
        "role": "user",
        "content": "Hello, Claude!"
      }
    ]
  }"""

CHAT = """{
    "model": "gpt-4o",
    "messages": [
      {
        "role": "user",
        "content": "Hello!"
      }
    ]
  }"""


def test_a_channel_with_models_as_names(ccload: Ccload, accounts: Accounts) -> None:
    """Which ccLoad refuses, though its README says so. Then its call of Claude, with two credentials, is served."""
    example = """{
    "name": "Claude-API",
    "api_key": "sk-ant-api03-xxx",
    "url": "https://api.anthropic.com,https://api2.anthropic.com",
    "priority": 10,
    "rpm_limit": 0,
    "max_concurrency": 0,
    "models": ["claude-sonnet-4-6", "claude-opus-4-6"],
    "enabled": true
  }"""
    added = ccload.ask("POST", "/admin/channels", example)
    assert added.status == 201, added.body
    channel = added.json()["data"]
    assert channel["url"] == "https://api.anthropic.com,https://api2.anthropic.com"
    moved = ccload.ask("PUT", f"/admin/channels/{channel['id']}", json.dumps({"url": accounts.upstream.url}))
    assert moved.status == 200, moved.body
    assert [one["name"] for one in ccload.ask("GET", "/admin/channels").json()["data"]] == ["Claude-API"]
    fields = {"x-api-key": "your-claude-api-key", "anthropic-version": "2023-06-01"}
    calls_reach_a_key(accounts, "/v1/messages", MESSAGES, "sk-ant-api03-xxx", **fields)


def test_a_channel_with_urls_and_their_protocols(ccload: Ccload, accounts: Accounts) -> None:
    """As the guide of its later versions has it."""
    example = """{
    "name": "Claude-API",
    "api_key": "sk-ant-api03-xxx",
    "urls": [
      {"url": "https://api.anthropic.com", "protocols": ["anthropic"]},
      {"url": "https://api2.anthropic.com"}
    ],
    "protocol_transform_mode": "auto",
    "priority": 10,
    "rpm_limit": 0,
    "max_concurrency": 0,
    "models": [{"model": "claude-sonnet-4-6"}, {"model": "claude-opus-4-6"}],
    "enabled": true
  }"""
    added = ccload.ask("POST", "/admin/channels", example)
    assert added.status == 201, added.body
    channel = added.json()["data"]
    assert (channel["channel_type"], len(channel["models"])) == ("anthropic", 2)


def test_a_channel_of_an_openai_compatible_upstream(ccload: Ccload, accounts: Accounts) -> None:
    """And the call of chat/completions that it serves."""
    example = """{
    "name": "OpenAI-Compatible",
    "api_key": "sk-xxx",
    "urls": [
      {"url": "https://api.openai.com", "protocols": ["openai"]}
    ],
    "protocol_transform_mode": "auto",
    "priority": 10,
    "rpm_limit": 0,
    "max_concurrency": 0,
    "models": [{"model": "gpt-4o"}],
    "enabled": true
  }"""
    added = ccload.ask("POST", "/admin/channels", with_address(example, accounts))
    assert added.status == 201, added.body
    calls_reach_a_key(accounts, "/v1/chat/completions", CHAT, "sk-xxx")


def test_rules_of_requests_are_followed(ccload: Ccload, accounts: Accounts) -> None:
    """README's typical example: fields and values overridden, appended, and one entry of a list taken out."""
    rules = """{
  "custom_request_rules": {
    "headers": [
      { "action": "override", "name": "User-Agent", "value": "claude-cli/1.0 (custom)" },
      { "action": "remove",   "name": "Anthropic-Beta", "value": "context-1m-2025-08-07" },
      { "action": "append",   "name": "Accept", "value": "application/json" }
    ],
    "body": [
      { "action": "override", "path": "thinking", "value": {"type":"adaptive"} },
      { "action": "override", "path": "max_tokens", "value": 4096 },
      { "action": "remove",   "path": "stop_sequences" }
    ]
  }
}"""
    channel = accounts.add("one", dialects=["anthropic"])
    changed = ccload.ask("PUT", f"/admin/channels/{channel}", rules)
    assert changed.status == 200, changed.body
    body = json.dumps(json.loads(MESSAGES) | {"model": "m", "stop_sequences": ["x"]})
    fields = {"anthropic-beta": "a-2025, context-1m-2025-08-07", "accept": "*/*", "anthropic-version": "2023-06-01"}
    calls_reach_a_key(accounts, "/v1/messages", body, "sk-upstream-0001", **fields)
    seen = accounts.upstream.seen[-1]
    shown = [seen.field(name) for name in ("user-agent", "anthropic-beta", "accept")]
    assert shown == ["claude-cli/1.0 (custom)", "a-2025", "*/*, application/json"]
    sent = json.loads(seen.body)
    assert (sent["thinking"], sent["max_tokens"], "stop_sequences" in sent) == ({"type": "adaptive"}, 4096, False)


def send_file(ccload: Ccload, text: str) -> Reply:
    """As `curl -F "file=@channels.csv"` does."""
    edge = "------------------------d74496d66958873e"
    head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="channels.csv"\r\n'
    body = f"{head}Content-Type: text/csv\r\n\r\n{text}\r\n--{edge}--\r\n"
    fields = {"Content-Type": f"multipart/form-data; boundary={edge}"}
    return ccload.ask("POST", "/admin/channels/import", body.encode(), **fields)


CSV = r"""name,api_key,url,priority,models,enabled
Claude-API-1,sk-ant-xxx,https://api.anthropic.com,10,"[\"claude-sonnet-4-6\"]",true
Claude-API-2,sk-ant-yyy,https://api.anthropic.com,5,"[\"claude-opus-4-6\"]",true
"""


def test_channels_come_in_and_go_out_as_csv(ccload: Ccload) -> None:
    """Models as JSON with quotes that are escaped by backslashes, of which ccLoad makes names with brackets."""
    told = send_file(ccload, CSV).json()
    assert (told["success"], told["data"]["created"], told["data"]["errors"]) == (True, 2, [])
    assert (told["data"]["processed"], told["data"]["redis_sync_enabled"]) == (2, False)
    channels = ccload.ask("GET", "/admin/channels").json()["data"]
    assert [(one["name"], one["priority"]) for one in channels] == [("Claude-API-1", 10), ("Claude-API-2", 5)]
    assert [one["models"][0]["model"] for one in channels] == ["claude-sonnet-4-6", "claude-opus-4-6"]
    file = ccload.ask("GET", "/admin/channels/export")
    assert 'attachment; filename="channels-' in (file.field("content-disposition") or "")
    text = file.body.decode("utf-8-sig")
    assert "sk-ant-xxx" in text
    again = send_file(ccload, text).json()["data"]
    assert (again["created"], again["updated"], again["errors"]) == (0, 2, [])


def test_a_line_that_cannot_be_is_told_as_a_text(ccload: Ccload) -> None:
    """The others are taken; what is no file is 400, in the envelope."""
    told = send_file(ccload, "name,api_key,url,models\nbad,k,ftp://x.example,m\ngood,k,https://x.example,m\n").json()[
        "data"
    ]
    assert (told["created"], told["skipped"]) == (1, 1)
    assert told["errors"][0].startswith("line 2: ")
    missing = ccload.ask("POST", "/admin/channels/import", "{}")
    assert (missing.status, missing.json()["success"], missing.json()["field"]) == (400, False, "file")


def test_tokens_are_counted_here(ccload: Ccload, accounts: Accounts) -> None:
    """For whoever shows an access token; its README leaves that out and says that it is needed."""
    accounts.add("one", dialects=["anthropic"])
    example = """{
    "model": "claude-sonnet-4-6",
    "messages": [
      {"role": "user", "content": "Hello, how are you?"}
    ],
    "system": "You are a helpful assistant."
  }"""
    reply = accounts.gateway.request("POST", "/v1/messages/count_tokens", example, BEARER)
    assert reply.status == 200
    assert list(reply.json()) == ["input_tokens"]
    without = accounts.gateway.request("POST", "/v1/messages/count_tokens", example, JSON)
    assert (without.status, without.json()["error"]["type"]) == (401, "authentication_error")


def test_without_a_token_nothing_is_served(ccload: Ccload, accounts: Accounts) -> None:
    """All that begins with /v1 and /v1beta is 401, as there; health is anybody's."""
    accounts.add("one")
    for path in ("/v1/messages", "/v1/chat/completions", "/v1beta/models/m:generateContent"):
        assert accounts.gateway.request("POST", path, MESSAGES, JSON).status == 401
    assert accounts.gateway.request("GET", "/health").status == 200
