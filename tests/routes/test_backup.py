"""GET /api/backup, POST /api/restore: as they are asked for by HTTP."""

from __future__ import annotations

import http.client
import json
import threading
import time
from typing import Any

import pytest

from app.core.channels.keys import StoredKey
from app.routes.admin.answers import MAX_BODY_BYTES
from app.storage.connections import Redis
from app.storage.embedded import EmbeddedRedis
from app.storage.keys.form import Known
from app.storage.keys.stored import StoredKeys
from app.storage.secrets import Secrets
from tests.support.channels import add_channel
from tests.support.gateway import GatewayProcess, Reply
from tests.support.waiting import wait_until

FIELD, PASSPHRASE = "X-Backup-Passphrase", "correct höllengaul".encode().decode("latin-1")
SECRET = "sk-of-the-backup-0001"

pytestmark = pytest.mark.usefixtures("no_channels_stay")


def backup(gateway: GatewayProcess, passphrase: str | None = None) -> Reply:
    also = {} if passphrase is None else {FIELD: passphrase}
    return gateway.request("GET", "/api/backup", headers={"Authorization": f"Bearer {gateway.admin_token}", **also})


def restore(gateway: GatewayProcess, document: bytes, passphrase: str | None = None, query: str = "") -> Reply:
    headers = {"Authorization": f"Bearer {gateway.admin_token}", "Content-Type": "application/json"}
    headers |= {} if passphrase is None else {FIELD: passphrase}
    return gateway.request("POST", f"/api/restore{query}", document, headers)


def test_what_was_said_goes_out_and_comes_back(gateway: GatewayProcess) -> None:
    """A preview says what would change, by noun and name; the restore does it, and the next has nothing to do."""
    channel = add_channel(gateway, "kept", keys=[SECRET])["id"]
    document = backup(gateway, PASSPHRASE)
    assert (document.status, document.field("content-type")) == (200, "application/json")
    assert 'filename="gateway-' in (document.field("content-disposition") or "")
    assert SECRET.encode() not in document.body
    gateway.admin("DELETE", f"/api/channels/{channel}")
    gateway.map("/not-in-it", "https://up.example")
    preview = restore(gateway, document.body, PASSPHRASE, "?preview=true").json()
    changes = {one.pop("noun"): one for one in preview["changes"]}
    assert changes["channels"] == {"added": ["kept"], "changed": [], "removed": []}
    assert changes["mappings"]["removed"] == ["/not-in-it"]
    assert preview["keys"] == {"added": 1, "changed": 0, "removed": 0}
    assert gateway.admin("GET", f"/api/channels/{channel}").status == 404
    done = restore(gateway, document.body, PASSPHRASE).json()
    assert {**done, "preview": True} == {**preview, "changes": done["changes"]}
    assert gateway.admin("GET", f"/api/channels/{channel}/keys/export").body.decode().split() == [SECRET]
    assert "/not-in-it" not in gateway.admin("GET", "/api/mappings").json()["mappings"]
    again = restore(gateway, document.body, PASSPHRASE).json()
    assert (again["changes"], again["keys"]) == ([], {"added": 0, "changed": 0, "removed": 0})
    gateway.log_with("back_up of backup by 127.0.0.1 (bearer)", "restore of restore by 127.0.0.1 (bearer)")


def test_what_cannot_be_taken_is_refused_with_what_would_do(gateway: GatewayProcess) -> None:
    """Nothing is changed."""
    add_channel(gateway, "kept", keys=[SECRET])["id"]
    document = backup(gateway, PASSPHRASE).body
    told = json.loads(document)
    edited = json.dumps({**told, "entries": told["entries"][1:]}).encode()
    cases: list[tuple[bytes, str | None, str]] = [
        (document, None, "passphrase_missing"),
        (document, "another one", "passphrase_wrong"),
        (document[: len(document) // 2], PASSPHRASE, "bad_json"),
        (document.replace(b'"kept"', b'"lept"'), PASSPHRASE, "backup_damaged"),
        (edited, PASSPHRASE, "backup_damaged"),
        (json.dumps({**told, "backup": 99}).encode(), PASSPHRASE, "backup_newer"),
        (json.dumps({**told, "unheard": 1}).encode(), PASSPHRASE, "unknown_field"),
        (b"", PASSPHRASE, "bad_json"),
        (b"[]", PASSPHRASE, "bad_json"),
    ]
    before = gateway.admin("GET", "/api/mappings").json()["version"]
    for sent, passphrase, code in cases:
        reply = restore(gateway, sent, passphrase)
        assert (reply.status, reply.json()["code"]) == (400, code), reply.body
    assert gateway.admin("GET", "/api/mappings").json()["version"] == before
    del told["sha256"]
    assert restore(gateway, json.dumps(told).encode(), PASSPHRASE).status == 200


def test_a_passphrase_that_protects_nothing_is_none(gateway: GatewayProcess) -> None:
    """An empty one may be a variable that is not set: better no backup than one without its keys."""
    for passphrase in ("", "short"):
        reply = backup(gateway, passphrase)
        assert (reply.status, reply.json()["field"]) == (400, FIELD)


def test_without_a_passphrase_secrets_are_left_out(gateway: GatewayProcess) -> None:
    channel = add_channel(gateway, "kept", keys=[SECRET])["id"]
    document: dict[str, Any] = backup(gateway).json()
    assert document["secrets"] == "left_out"
    assert SECRET not in json.dumps(document)
    reply = restore(gateway, json.dumps(document | {"sha256": ""}).encode()).json()
    assert (reply["changes"], len(reply["notes"])) == ([], 1)
    assert gateway.admin("GET", f"/api/channels/{channel}/keys").json()["count"] == 1


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_100_000_keys_go_out_and_in_by_http(own_redis: Redis, own_server: EmbeddedRedis) -> None:
    """A body beyond what else the admin API takes; calls are answered meanwhile."""
    gateway = GatewayProcess(own_server.url, {"ENCRYPTION_KEY": "k" * 43}).start()
    waited_ms: list[float] = []
    stopping = threading.Event()

    def look() -> None:
        while not stopping.wait(0.02):
            began_s = time.perf_counter()
            gateway.request("GET", "/health")
            waited_ms.append(1000 * (time.perf_counter() - began_s))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        channel = add_channel(gateway, "many")["id"]
        keys = StoredKeys(own_redis, Secrets(["k" * 43]))
        for begin in range(0, 100_000, 1_000):
            keys.add(
                channel, Known(), [(f"sk-{number:090}", StoredKey(0, "")) for number in range(begin, begin + 1_000)]
            )
        wait_until(lambda: count_of(gateway, channel) == 100_000, "all are known")
        waited_ms.clear()
        document = longer(gateway, "GET", "/api/backup")
        assert len(document) > MAX_BODY_BYTES
        gateway.admin("DELETE", f"/api/channels/{channel}")
        done = json.loads(longer(gateway, "POST", "/api/restore", document))
        print(f"{len(document):,} bytes; /health took {sorted(waited_ms)[len(waited_ms) * 99 // 100]:.0f} ms at p99")
        assert done["keys"] == {"added": 100_000, "changed": 0, "removed": 0}
        assert count_of(gateway, channel) == 100_000
    finally:
        stopping.set()
        looking.join()
        gateway.stop()


def count_of(gateway: GatewayProcess, channel_id: str) -> int:
    return int(gateway.admin("GET", f"/api/channels/{channel_id}").json()["channel"]["keys"]["total"])


def longer(gateway: GatewayProcess, method: str, path: str, body: bytes | None = None) -> bytes:
    """With more patience than other requests have."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=120)
    headers = {"Authorization": f"Bearer {gateway.admin_token}", "Content-Type": "application/json", FIELD: PASSPHRASE}
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    assert response.status == 200, answer[:300]
    return answer
