"""GET /api/audit: who did what, with what was there before and after, and no secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from app.storage.connections import AUDIT_WAITING, Redis
from app.storage.sql.database import WorkerDatabase
from tests.support.channels import add_channel
from tests.support.databases import prepared
from tests.support.gateway import GatewayProcess
from worker.audit_writer import AuditWriter

CANARY = "sk-canary-9f2b77d05a9c"
PROXY = f"http://me:{CANARY}-of-the-proxy@proxy.example:3128"

pytestmark = pytest.mark.usefixtures("no_channels_stay")


class Audit:
    def __init__(self, gateway: GatewayProcess, client: Redis, database: WorkerDatabase) -> None:
        self.gateway = gateway
        self.writer = AuditWriter(client, database)

    def asked(self, query: str = "") -> dict[str, Any]:
        reply = self.gateway.admin("GET", f"/api/audit{query}")
        assert reply.status == 200, reply.body
        answer: dict[str, Any] = reply.json()
        return answer

    def entries(self, query: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.asked(query)["entries"]
        return found

    def latest(self) -> dict[str, Any]:
        return self.entries("?limit=1")[0]


@pytest.fixture
def audit(gateway: GatewayProcess, redis_client: Redis) -> Iterator[Audit]:
    redis_client.delete(AUDIT_WAITING)
    with prepared(redis_client, gateway.redis_url) as database:
        yield Audit(gateway, redis_client, database)


def test_a_change_is_told_with_what_it_was_before_and_after(audit: Audit) -> None:
    """What is new and what goes whole; of what is changed, what is another."""
    gateway = audit.gateway
    channel = add_channel(gateway, "told", priority=3)
    entry = audit.latest()
    assert (entry["action"], entry["object"]) == ("add_channel", f"channel {channel['id']} told")
    assert entry["who"] == "127.0.0.1 (bearer)"
    assert (entry["before"], entry["after"]["priority"]) == (None, 3)
    gateway.admin("PUT", f"/api/channels/{channel['id']}", {"priority": 4, "note": ""})
    entry = audit.latest()
    assert (entry["before"], entry["after"]) == ({"priority": 3}, {"priority": 4})
    gateway.admin("DELETE", f"/api/channels/{channel['id']}")
    assert (audit.latest()["before"]["priority"], audit.latest()["after"]) == (4, None)
    gateway.admin("PUT", "/api/settings", {"idle_timeout": 61, "empty_is_error": True})
    gateway.admin("POST", "/api/settings/reset", {"names": ["idle_timeout", "empty_is_error"]})
    settings = [(one["object"], one["before"], one["after"]) for one in audit.entries("?object=setting&limit=4")]
    assert ("setting idle_timeout", {"value": "61.0"}, None) in settings
    assert ("setting empty_is_error", None, {"value": "true"}) in settings


def test_keys_are_told_by_hint_and_number(audit: Audit) -> None:
    """What was said of one, before and after; how many were added; a page of many is one entry."""
    gateway, channel = audit.gateway, add_channel(audit.gateway, "told")
    at = f"/api/channels/{channel['id']}/keys"
    gateway.admin("POST", at, {"keys": [CANARY, CANARY, "sk-other-0000-0000"]})
    entry = audit.latest()
    assert entry["after"] == {"added": 2, "duplicates": 1, "total": 2}
    [key, _] = gateway.admin("GET", at).json()["keys"]
    gateway.admin("PUT", f"{at}/{key['id']}", {"note": "mine", "enabled": False})
    entry = audit.latest()
    assert entry["object"] == f"key {key['id']} of channel {channel['id']} told"
    assert (entry["before"]["note"], entry["after"]["note"]) == ("", "mine")
    assert (entry["before"]["state"], entry["after"]["state"]) == ("active", "disabled")
    gateway.admin("POST", f"{at}/batch", {"all": True, "action": "enable"})
    assert audit.latest()["after"] == {"action": "enable", "all": True, "changed": 1}


@pytest.mark.usefixtures("forgive")
def test_no_entry_holds_a_secret(audit: Audit, redis_client: Redis) -> None:
    """Whatever is said where secrets are said: keys, proxies, fields of requests, tokens; and wherever one is shown."""
    gateway = audit.gateway
    rules = [{"action": "set", "name": "X-Vendor-Token", "value": CANARY}]
    body_rules = [{"action": "set", "path": "vendor.api_key", "value": CANARY}]
    channel = add_channel(gateway, "canary", keys=[CANARY], proxy_url=PROXY, header_rules=rules, body_rules=body_rules)
    at = f"/api/channels/{channel['id']}"
    [key] = gateway.admin("GET", f"{at}/keys").json()["keys"]
    gateway.admin("POST", f"{at}/keys/{key['id']}/reveal")
    gateway.admin("GET", f"{at}/keys/export")
    gateway.admin("GET", "/api/channels/export")
    gateway.admin("POST", f"{at}/copy", {"name": "copied", "keys": "all"})
    gateway.admin("PUT", at, {"proxy_url": PROXY.replace("-of", "2-of"), "note": "x"})
    gateway.admin("DELETE", f"{at}/keys/{key['id']}")
    gateway.admin("POST", "/api/channels/models/fetch", {"url": "http://127.0.0.1:9", "key": CANARY})
    gateway.admin(
        "POST", "/api/mappings", {"prefix": "/canary", "target": "https://a.example", "options": {"proxy_url": PROXY}}
    )
    gateway.admin("DELETE", "/api/mappings/canary")
    gateway.request("POST", "/api/admin/login", json.dumps({"token": CANARY}), {"Content-Type": "application/json"})
    made = gateway.admin("POST", "/api/tokens", {"name": "canary"}).json()
    rotated = gateway.admin("POST", f"/api/tokens/{made['access_token']['id']}/rotate").json()
    gateway.admin("DELETE", f"/api/tokens/{made['access_token']['id']}")
    secrets = [CANARY, made["token"], rotated["token"], gateway.admin_token]
    written = b"\n".join(redis_client.lrange(AUDIT_WAITING, 0, -1)).decode()
    assert written.count("canary") > 10
    assert not [secret for secret in secrets if secret in written]
    changed = [one for one in audit.entries("?action=update_channel&limit=1") if one["after"]]
    assert changed[0]["after"] == {"proxy_url": "http://me@proxy.example:3128", "note": "x"}
    assert audit.entries("?action=login_refused&limit=1")[0]["who"] == "127.0.0.1"


def test_pages_follow_newest_first_wherever_entries_are(audit: Audit) -> None:
    """In the database, and those that are on their way to it; each once."""
    gateway = audit.gateway
    for number in range(6):
        gateway.map(f"/audited/{number}", "https://a.example")
        if number == 3:
            audit.writer.work()
    seen, after = [], ""
    while len(seen) < 6:
        answer = audit.asked(f"?action=add_mapping&object=/audited&limit=2{after}")
        seen += [entry["object"] for entry in answer["entries"]]
        after = f"&after={answer['next']}"
    assert seen == [f"mapping /audited/{number}" for number in range(5, -1, -1)]
    audit.writer.work()
    assert [entry["object"] for entry in audit.entries("?object=/AUDITED/&limit=6")] == seen
    for number in range(6):
        gateway.admin("DELETE", f"/api/mappings/audited/{number}")


def test_what_is_filtered_for(audit: Audit) -> None:
    """Action, parts of object and of who, time; a place that is none is refused."""
    gateway = audit.gateway
    gateway.map("/filtered", "https://a.example")
    gateway.admin("DELETE", "/api/mappings/filtered")
    [deleted, added] = audit.entries("?object=mapping /filtered".replace(" ", "%20"))
    assert (deleted["action"], added["action"]) == ("delete_mapping", "add_mapping")
    assert audit.entries(f"?object=/filtered&to_ms={added['at_ms']}") == []
    assert audit.entries(f"?object=/filtered&from_ms={added['at_ms']}&who=127.0.0.1") == [deleted, added]
    assert audit.entries("?object=/filtered&who=198.51.100.7") == []
    assert gateway.admin("GET", "/api/audit?after=nowhere").json()["field"] == "after"


def test_what_is_refused_or_only_looked_at_is_no_act(audit: Audit) -> None:
    gateway = audit.gateway
    gateway.map("/looked-at", "https://a.example")
    before = audit.latest()
    assert gateway.admin("PUT", "/api/mappings/unknown", {"target": "https://a.example"}).status == 404
    assert gateway.admin("GET", "/api/channels").status == 200
    document = {"backup": 1, "made_at_ms": 0, "version": 0, "secrets": "left_out", "entries": []}
    assert gateway.admin("POST", "/api/restore?preview=true", document).status == 200
    assert audit.latest() == before
    gateway.admin("DELETE", "/api/mappings/looked-at")
