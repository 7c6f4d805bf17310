"""Two web processes of a deployed gateway: conversations keep their key, and ids lead back to theirs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.api_calls import BEARER, OTHER_TOKEN, TOKEN, Accounts
from tests.support.gateway import GatewayProcess
from tests.support.own_redis import running_redis
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until

CHAT = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
FILE = "file-abcdef123456"


class Provider:
    """Whose accounts know their own files only."""

    def __init__(self) -> None:
        self.uploaded_by: str | None = None

    def __call__(self, peer: Peer) -> None:
        if (seen := peer.read_request()) is None:
            return
        status, body = "200 OK", CHAT
        if "/files" in seen.target:
            key = seen.field("authorization")
            body = {"object": "file"}
            if seen.target.endswith("files"):  # only what is uploaded has its id told
                self.uploaded_by, body = key, body | {"id": FILE}
            if key != self.uploaded_by:
                status, body = "404 Not Found", {"error": {"message": "No such File object", "type": "x"}}
        fields = "Content-Type: application/json\r\nConnection: close\r\n"
        peer.answer(json.dumps(body).encode(), status=status, fields=fields)


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[Accounts]:
    """Two channels of three keys."""
    with running_redis(tmp_path) as server:
        gateway = GatewayProcess(server.url, {"AUTH_KEY": f"{TOKEN}, {OTHER_TOKEN}", "WEB_CONCURRENCY": "2"}).start()
        upstream = Upstream(handler=Provider())
        accounts = Accounts(gateway, upstream)
        for name in ("a", "b"):
            keys = [f"sk-{name}-{number:06}" for number in range(3)]
            accounts.add(name, keys, models=[{"name": "m"}, {"name": "*"}])
        yield accounts
        upstream.close()
        gateway.stop()


def ask(accounts: Accounts, path: str, method: str = "POST", token: str = TOKEN, **fields: str) -> str:
    """The key that served; empty where that process does not know the channel or its keys yet."""
    before = len(accounts.upstream.seen)
    headers: dict[str, Any] = BEARER | {"Authorization": f"Bearer {token}"} | fields
    reply = accounts.gateway.request(method, path, json.dumps({"model": "m"} if "chat" in path else {}), headers)
    assert reply.status in (200, 404, 503), reply.body
    seen = accounts.upstream.seen[before:]
    assert len(seen) <= 1
    return str(seen[0].field("authorization")) if seen else ""


def test_conversations_and_ids_keep_their_key_whatever_process_serves(accounts: Accounts) -> None:
    """Another token's calls for the same id go where they would without it."""

    def round_of_calls() -> dict[str, str]:
        return {name: ask(accounts, "/v1/chat/completions", **{"session-id": name}) for name in map(str, range(8))}

    def all_keys_known() -> bool:
        served = {ask(accounts, "/v1/chat/completions") for _ in range(30)}
        return len(served) == 6 and "" not in served

    wait_until(all_keys_known, "all keys are known")
    kept: dict[str, str] = {}

    def stays() -> bool:
        nonlocal kept
        kept = round_of_calls()
        return all(round_of_calls() == kept for _ in range(10))  # so many that each process has served each

    wait_until(stays, "both know")
    for _ in range(4):
        assert round_of_calls() == kept
    assert len(set(kept.values())) > 2

    key = ask(accounts, "/v1/files")
    wait_until(lambda: {ask(accounts, f"/v1/files/{FILE}", "GET") for _ in range(6)} == {key}, "it is stored", 3.0)
    assert {ask(accounts, f"/v1/files/{FILE}", "GET") for _ in range(12)} == {key}
    assert len({ask(accounts, f"/v1/files/{FILE}", "GET", OTHER_TOKEN) for _ in range(12)}) > 1
