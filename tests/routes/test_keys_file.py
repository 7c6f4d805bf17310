"""What somebody has who comes from GPT-Load with his keys.txt and his AUTH_KEY."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.storage.embedded import EmbeddedRedis
from tests.support.environ import clean_environ
from tests.support.gateway import ROOT, GatewayProcess, Reply
from tests.support.own_redis import running_redis
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until

KEYS = ["sk-first-0123456789", "sk-second-0123456789", "third.of_another+provider"]
AUTH_KEYS = ["sk-prod-key", "sk-test-key"]
CHAT = "/v1/chat/completions"
ANSWER = {"choices": [{"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]}
EVENTS = (b'data: {"choices":[{"delta":{"content":"Hello"},"finish_reason":"stop"}]}\n\n', b"data: [DONE]\n\n")


class OpenAi:
    """Knows some keys; of others it says that they are wrong."""

    def __init__(self) -> None:
        self.bad: set[str] = set()
        self.status = "200 OK"
        self.times = 0
        """How often it still answers with that status; 0: always."""
        self.used: list[str] = []
        self.upstream = Upstream(handler=self.answer)

    def answer(self, peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            key = (seen.field("authorization") or "").removeprefix("Bearer ")
            self.used.append(key)
            if key in self.bad:
                error = {"message": f"Incorrect API key provided: {key}", "code": "invalid_api_key"}
                peer.answer(json.dumps({"error": error}).encode(), "401 Unauthorized")
            elif self.status != "200 OK":
                peer.answer(b'{"error": {"message": "no"}}', self.status)
                self.times -= 1
                self.status = self.status if self.times else "200 OK"
            elif b'"stream": true' in seen.body or b'"stream":true' in seen.body:
                peer.answer(b"".join(EVENTS), fields="Content-Type: text/event-stream\r\n")
            else:
                peer.answer(json.dumps(ANSWER).encode(), fields="Content-Type: application/json\r\n")


class Moved:
    """A gateway with the variables and the file that GPT-Load had."""

    def __init__(self, redis: EmbeddedRedis, file: Path) -> None:
        self.openai = OpenAi()
        self._numbers = itertools.count()
        self.file = file
        self.file.write_text("\n".join(KEYS) + "\n")
        self.environ = {
            "KEYS_FILE": str(file),
            "OPENAI_BASE_URL": self.openai.upstream.url,
            "AUTH_KEY": ",".join(AUTH_KEYS),
            "MAX_RETRIES": "3",
            "REQUEST_TIMEOUT": "30000",
            "START_INDEX": "0",
            "ENABLE_CORS": "true",
            "MAX_SOCKETS": "50",
            "BLACKLIST_THRESHOLD": "1",
        }
        self.gateway = GatewayProcess(redis.url, self.environ).start()

    def call(self, path: str = CHAT, key: str = AUTH_KEYS[0], **said: Any) -> Reply:
        """Each is one of its own, and repeats none."""
        message = {"role": "user", "content": f"Hello {next(self._numbers)}"}
        body = {"model": "gpt-4o-mini", "messages": [message]} | said
        fields = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        return self.gateway.request("POST", path, json.dumps(body), fields)

    @property
    def channel_id(self) -> str:
        [channel] = self.gateway.admin("GET", "/api/channels").json()["channels"]
        return str(channel["id"])

    def reset(self) -> None:
        """As at the beginning."""
        self.openai.bad, self.openai.status, self.openai.times = set(), "200 OK", 0
        self.gateway.admin("DELETE", f"/api/channels/{self.channel_id}/cooldown")
        self.file.write_text("\n".join(KEYS) + "\n")
        assert self.gateway.admin("GET", "/reset-keys").json()["totalKeys"] == 3
        self.openai.used.clear()

    def show(self, what: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """As `make` does it."""
        environ = {"PORT": str(self.gateway.port), "ADMIN_TOKEN": self.gateway.admin_token} | environ
        return subprocess.run(
            [sys.executable, "scripts/show.py", what],
            cwd=ROOT,
            env=clean_environ(**environ),
            capture_output=True,
            text=True,
        )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    folder = tmp_path_factory.mktemp("gpt-load")
    with running_redis(folder / "redis") as redis:
        moved = Moved(redis, folder / "keys.txt")
        try:
            yield moved
        finally:
            moved.gateway.stop()
            moved.openai.upstream.close()


@pytest.fixture
def moved(whole: Moved) -> Moved:
    whole.reset()
    return whole


@pytest.mark.parametrize("key", AUTH_KEYS)
def test_calls_are_made_with_the_keys_of_the_file(moved: Moved, key: str) -> None:
    """One after the other; the caller's own is no key of an upstream's, and the log names it by its number."""
    for _ in range(3):
        assert moved.call(key=key).json() == ANSWER
    assert sorted(moved.openai.used) == sorted(KEYS)
    log = moved.gateway.settled_log(f'token="AUTH_KEY #{AUTH_KEYS.index(key) + 1}"')
    assert not [secret for secret in (*KEYS, *AUTH_KEYS) if secret in log]


@pytest.mark.parametrize("fields", [{}, {"Authorization": "Bearer sk-other"}, {"Authorization": "sk-prod-key"}])
def test_nobody_is_served_without_auth_key(moved: Moved, fields: dict[str, str]) -> None:
    assert moved.gateway.request("POST", CHAT, b"{}", fields).status == 401
    assert moved.openai.used == []


def test_streams_stream(moved: Moved) -> None:
    reply = moved.call(stream=True)
    assert (reply.status, reply.field("content-type"), reply.body) == (200, "text/event-stream", b"".join(EVENTS))


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/images/generations"])
def test_any_path_of_the_api_is_served(moved: Moved, path: str) -> None:
    moved.call(path, input="Hello", prompt="Hello")
    assert moved.openai.upstream.seen[-1].target == path
    assert moved.openai.used[0] in KEYS


def test_a_browser_may_ask(moved: Moved) -> None:
    """ENABLE_CORS."""
    fields = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    reply = moved.gateway.request("OPTIONS", CHAT, headers=fields)
    assert (reply.status, reply.field("access-control-allow-origin")) == (204, "*")


def test_another_key_is_tried_and_a_bad_one_is_left_alone(moved: Moved) -> None:
    """/blacklist tells which, with GPT-Load's names and without the key; /reset-keys and `make` bring it back."""
    moved.openai.bad = set(KEYS[:2])
    for _ in range(3):
        assert moved.call().status == 200
    told = moved.gateway.admin("GET", "/blacklist").json()
    assert (told["totalBlacklisted"], told["totalKeys"], told["healthyKeys"]) == (2, 3, 1)
    assert sorted(key["keyPreview"] for key in told["blacklistedKeys"]) == ["sk-f…6789", "sk-s…6789"]
    assert {key["channel"] for key in told["blacklistedKeys"]} == {"keys-file"}
    shown = moved.show("blacklist")
    assert (shown.returncode, json.loads(shown.stdout)["totalBlacklisted"]) == (0, 2)
    assert moved.gateway.request("GET", "/health").json()["keys"]["blacklisted"] == 2
    moved.openai.bad = set()
    shown = moved.show("reset-keys")
    assert (shown.returncode, json.loads(shown.stdout)["clearedCount"]) == (0, 2)
    assert moved.gateway.admin("GET", "/blacklist").json()["blacklistedKeys"] == []


@pytest.mark.parametrize("status", ["429 Too Many Requests", "402 Payment Required", "403 Forbidden"])
def test_what_is_a_keys_fault_another_key_mends(moved: Moved, status: str) -> None:
    """The client sees nothing of it."""
    moved.openai.status, moved.openai.times = status, 1
    reply = moved.call()
    assert (reply.status, reply.field("x-gateway-attempts")) == (200, "2")
    assert len(set(moved.openai.used)) == 2


def test_what_is_the_upstreams_fault_is_no_keys(moved: Moved) -> None:
    """Where there is one URL its 5xx is told, and the next call is made all the same: no key is left alone for it."""
    moved.openai.status, moved.openai.times = "500 Internal Server Error", 1
    assert moved.call().status == 500
    assert moved.call().status == 200
    keys = moved.gateway.request("GET", "/health").json()["keys"]
    assert (keys["active"], keys["blacklisted"]) == (3, 0)


def test_what_is_the_clients_fault_is_nobodys_else(moved: Moved) -> None:
    """One try, and not even with BLACKLIST_THRESHOLD=1 a key less."""
    moved.openai.status = "400 Bad Request"
    reply = moved.call()
    assert (reply.status, reply.field("x-gateway-attempts")) == (400, "1")
    assert moved.gateway.admin("GET", "/blacklist").json()["healthyKeys"] == 3


def test_when_all_keys_are_wrong_the_client_is_told_so(moved: Moved) -> None:
    """And not that his own is; bad ones stay away until somebody brings them back."""
    moved.openai.bad = set(KEYS)
    for status, code in ((502, "upstream_credentials"), (503, "no_fit_key")):
        reply = moved.call()
        assert (reply.status, reply.field("x-gateway-error")) == (status, code)
    moved.openai.bad = set()
    assert moved.call().status == 503
    moved.gateway.admin("POST", "/reset-keys")
    assert moved.call().status == 200


def test_max_retries_are_more_keys(moved: Moved) -> None:
    """MAX_RETRIES=3: four attempts, each with a key of its own."""
    moved.file.write_text("".join(f"sk-{number}-0123456789\n" for number in range(6)))
    moved.gateway.admin("POST", "/reset-keys")
    moved.openai.status = "429 Too Many Requests"
    reply = moved.call()
    assert (reply.status, reply.field("x-gateway-attempts")) == (429, "4")
    assert len(set(moved.openai.used)) == 4


def test_a_wrong_admin_token_is_told(moved: Moved) -> None:
    shown = moved.show("blacklist", ADMIN_TOKEN="")
    assert (shown.returncode, "set ADMIN_TOKEN" in shown.stderr) == (1, True)
    shown = moved.show("no-such-thing")
    assert (shown.returncode, "usage: " in shown.stderr) == (1, True)


def test_reset_keys_reads_the_file_again(moved: Moved) -> None:
    """As it stands at this moment; it tells how many came and went."""
    moved.file.write_text(f"{KEYS[1]}\nsk-new-0123456789\nno key at all\n")
    told = moved.gateway.admin("GET", "/reset-keys").json()
    assert (told["success"], told["totalKeys"]) == (True, 2)
    assert "keys.txt: 2 keys: 1 added, 2 removed; left out as no keys: line 3" in told["message"]
    for _ in range(4):
        moved.call()
    assert set(moved.openai.used) == {KEYS[1], "sk-new-0123456789"}


def test_the_file_is_followed_within_ten_seconds(moved: Moved) -> None:
    """Put in its place by a rename, as editors do."""
    keys = ["sk-newer-0123456789", KEYS[0]]
    there = moved.file.with_suffix(".new")
    there.write_text("\n".join(keys))
    there.replace(moved.file)
    began_s = time.monotonic()
    wait_until(lambda: health_keys(moved) == len(keys), "it was read", 20)
    assert time.monotonic() - began_s < 10
    for _ in range(len(keys)):
        moved.call()
    assert set(moved.openai.used) == set(keys)


def health_keys(moved: Moved) -> int:
    return int(moved.gateway.request("GET", "/health").json()["keys"]["total"])
