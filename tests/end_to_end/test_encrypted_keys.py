"""A deployed gateway whose keys are encrypted: a rotation beside it ends no call, and Redis shows nothing of a key."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from app.core.channels.keys import StoredKey
from app.storage.connections import open_redis
from app.storage.embedded import EmbeddedRedis
from app.storage.keys.encryption import note
from app.storage.keys.form import Known
from app.storage.keys.stored import StoredKeys
from app.storage.secrets import Secrets
from tests.support.api_calls import BEARER, PATHS, TOKEN, Accounts, good
from tests.support.dumped import dumped
from tests.support.environ import clean_environ
from tests.support.gateway import ROOT, GatewayProcess
from tests.support.own_redis import running_redis
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until

OLD, NEW = "0123456789abcdef" * 4, "fedcba9876543210" * 4
EACH = 300
"""Keys that are plain, and as many that are encrypted with the old key."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with running_redis(tmp_path) as server:
        yield server


@pytest.fixture
def accounts(server: EmbeddedRedis) -> Iterator[Accounts]:
    gateway = GatewayProcess(server.url, {"AUTH_KEY": TOKEN, "ENCRYPTION_KEY": f"{NEW},{OLD}"}).start()
    upstream = Upstream(handler=good)
    yield Accounts(gateway, upstream)
    upstream.close()
    gateway.stop()


def out_of_line(gateway: GatewayProcess) -> int:
    at_rest = gateway.admin("GET", "/api/channels").json()["keys_at_rest"]
    assert at_rest["encrypted"] is True
    return int(at_rest["out_of_line"])


def ask(gateway: GatewayProcess) -> int:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
    return gateway.request("POST", PATHS["openai"], body, BEARER).status


def refuse(peer: Peer) -> None:
    """As some providers do: with the key in the error."""
    if (seen := peer.read_request()) is not None:
        body = json.dumps({"error": {"message": f"Incorrect API key provided: {seen.field('authorization')}"}}).encode()
        fields = "Content-Type: application/json\r\nConnection: close\r\n"
        peer.answer(body, status="401 Unauthorized", fields=fields)


def test_a_rotation_beside_a_gateway_ends_no_call_and_shows_no_key(server: EmbeddedRedis, accounts: Accounts) -> None:
    """All calls go on with the keys that there are; then the new value alone will do."""
    gateway, upstream = accounts.gateway, accounts.upstream
    keys = [f"sk-{kind}-{number:04}-abcdefghij" for kind in ("plain", "old") for number in range(EACH)]
    channel_id = accounts.add("pool", ["sk-new-0000-abcdefghij"])
    with open_redis(server.url) as client:
        for secrets, texts in ((Secrets(), keys[:EACH]), (Secrets([OLD]), keys[EACH:])):
            note(client, secrets)
            StoredKeys(client, secrets).add(channel_id, Known(), [(text, StoredKey(0, "")) for text in texts])
    wait_until(lambda: out_of_line(gateway) == 2 * EACH, "the gateway knows all keys")

    statuses, stopping = [], Event()

    def call() -> None:
        while not stopping.is_set():
            statuses.append(ask(gateway))

    caller = Thread(target=call)
    caller.start()
    environ = clean_environ(REDIS_URL=server.url, ENCRYPTION_KEY=f"{NEW},{OLD}")
    script = [sys.executable, str(ROOT / "scripts/encrypt_keys.py")]
    told = subprocess.run(script, env=environ, check=True, capture_output=True, text=True, timeout=60).stdout
    wait_until(lambda: out_of_line(gateway) == 0, "the gateway has heard of it")
    stopping.set()
    caller.join()
    assert f"pool: {2 * EACH} keys rewritten, 1 in line already" in told
    assert set(statuses) == {200}
    known = {f"Bearer {key}" for key in [*keys, "sk-new-0000-abcdefghij"]}
    assert {seen.field("authorization") for seen in upstream.seen} <= known
    again = gateway.admin("POST", f"/api/channels/{channel_id}/keys", {"text": "\n".join(keys)}).json()
    assert (again["added"], again["duplicates"]) == (0, 2 * EACH)

    upstream.handler = refuse
    assert ask(gateway) == 502
    gateway.admin("POST", f"/api/channels/{channel_id}/test", {"model": "m"})
    gateway.final_log()
    with open_redis(server.url) as client:
        held = dumped(client)
    assert b"Incorrect API key provided" in held, "what was seen is there"
    assert [key for key in keys if key[3:].encode() in held] == []
    assert b"-abcdef" not in held
