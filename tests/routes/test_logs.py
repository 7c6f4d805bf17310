"""`/api/logs`: the rows of calls, one call with its attempts, and who may see them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from app.core.request_log.making import rows_of
from app.routes.admin.logs import row_answers
from app.storage.connections import LOG_DATABASE, open_redis
from app.storage.request_log.booking import STRANGERS_A_SECOND
from app.storage.request_log.kept_row import KeptRow
from tests.support.api_calls import BEARER, TOKEN, Accounts
from tests.support.gateway import Reply
from tests.support.log_rows import NOON_MS, Log, book, called, mapped
from tests.support.upstream import Peer, Upstream
from tests.support.waiting import wait_until

FIELDS = set(
    "id at_ms request_id attempt final token_id token client method path mapping channel_id channel key_id key_hint"
    " dialect model upstream_model status outcome reason stream first_byte_ms first_content_ms duration_ms usage"
    " cost_usd unpriced price_version request_bytes response_bytes trace_id user_agent".split()
)
"""Of chapter 6, all of them."""
CHAT = "/v1/chat/completions"
KEY = "sk-upstream-key-0001"


@pytest.fixture
def log(accounts: Accounts) -> Iterator[Log]:
    """Empty."""
    with open_redis(accounts.gateway.redis_url) as client:
        log = Log(accounts.gateway, client)
        log.clear()
        yield log
        log.database.close()


def ask(accounts: Accounts, model: str = "m", headers: dict[str, str] | None = None, **body: Any) -> Reply:
    return accounts.gateway.request("POST", CHAT, json.dumps({"model": model, **body}), {**BEARER, **(headers or {})})


def test_a_failover_stands_in_the_log_attempt_by_attempt(accounts: Accounts, log: Log) -> None:
    """In order, each with all fields; the request is the call as its caller saw it."""

    def answer(peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            if seen.field("authorization") == f"Bearer {KEY}":
                peer.answer(b'{"error": {"message": "slow down"}}', "429 Too Many")
            else:
                peer.answer(b'{"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}')

    accounts.upstream.handler = answer
    models = [{"name": "m", "upstream_name": "m-there"}]
    ids = [
        accounts.add("first", [KEY], priority=1, models=models),
        accounts.add("second", ["sk-other-key-0002"], models=models),
    ]
    reply = ask(accounts, headers={"User-Agent": "curl/8", "traceparent": f"00-{'1' * 32}-{'2' * 16}-01"})
    assert reply.status == 200
    told = log.of(reply)
    one, two = told["attempts"]
    assert set(one) == set(two) == FIELDS
    assert [(row["attempt"], row["final"]) for row in (one, two)] == [(1, False), (2, True)]
    assert [row["channel_id"] for row in (one, two)] == ids
    assert [(row["status"], row["outcome"], row["reason"]) for row in (one, two)] == [
        (429, "rate_limited", "slow down"),
        (200, "ok", None),
    ]
    assert [row["key_hint"] for row in (one, two)] == ["sk-u…0001", "sk-o…0002"]
    assert one["key_id"] != two["key_id"]
    for row in (one, two):
        assert (row["model"], row["upstream_model"], row["dialect"], row["stream"]) == ("m", "m-there", "openai", False)
        assert (row["token_id"], row["token"], row["client"]) == (None, "AUTH_KEY #1", "127.0.0.1")
        assert (row["method"], row["path"], row["mapping"]) == ("POST", CHAT, None)
        assert (row["user_agent"], row["trace_id"]) == ("curl/8", "1" * 32)
        assert row["request_id"] == reply.field("x-gateway-request-id")
        assert row["id"].isdecimal()
        assert isinstance(row["at_ms"], int)
        assert set(row["usage"]) == {
            "input", "cached", "cache_write_5m", "cache_write_1h", "output", "reasoning", "source", "other"
        }  # fmt: skip
    assert (one["usage"]["source"], one["cost_usd"]) == ("absent", None)
    request = told["request"]
    assert (request["attempts"], request["status"], request["channel"]) == (2, 200, "second")
    assert request["at_ms"] == one["at_ms"]
    assert request["duration_ms"] >= one["duration_ms"] + two["duration_ms"] - 2
    assert two["response_bytes"] == len(reply.body)


def test_rows_are_listed_the_latest_first_page_by_page(accounts: Accounts, log: Log) -> None:
    """Each once, with a `next` until the end and no count; the count has an address of its own."""
    accounts.add("one")
    for _ in range(5):
        last = ask(accounts)
    log.of(last)
    first = log.list("?limit=2")
    assert first["logs"][0]["request_id"] == last.field("x-gateway-request-id")
    assert "count" not in first
    second = log.list(f"?limit=2&after={first['next']}")
    third = log.list(f"?limit=2&after={second['next']}")
    assert third["next"] is None
    rows = first["logs"] + second["logs"] + third["logs"]
    assert [set(row) for row in rows] == [FIELDS] * 5
    places = [(row["at_ms"], int(row["id"])) for row in rows]
    assert places == sorted(places, reverse=True)
    assert log.gateway.admin("GET", "/api/logs/count").json() == {"success": True, "count": 5, "is_more": False}
    assert log.gateway.admin("GET", "/api/logs/count?status=4xx").json()["count"] == 0


def test_what_is_asked_for_is_what_is_listed(accounts: Accounts, log: Log) -> None:
    """By each parameter, and by several."""
    channel = accounts.add("one")
    good, bad = ask(accounts, headers={"User-Agent": "find-me"}), ask(accounts, "nobody-has-it")
    log.of(bad)
    row = log.of(good)["attempts"][0]
    at = row["at_ms"]
    for query in (
        f"channel_id={channel}", f"key_id={row['key_id']}", "status=2xx", "outcome=ok", "model=m",
        "final=true&status=200",
        f"q={row['request_id'][:8]}&outcome=ok", f"from_ms={at}&to_ms={at + 1}&outcome=ok",
    ):  # fmt: skip
        found = [one["request_id"] for one in log.list(f"?{query}")["logs"]]
        assert found == [row["request_id"]], query
    assert [one["model"] for one in log.list("?outcome=refused")["logs"]] == ["nobody-has-it"]
    assert log.list("?stream=true")["logs"] == []
    assert log.list(f"?to_ms={at}")["logs"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from_ms=now", "from_ms"),
        ("status=2000", "status"),
        ("outcome=no", "outcome"),
        ("final=1", "final"),
        ("limit=501", "limit"),
        ("after=7", "after"),
    ],
)
def test_what_cannot_be_asked_is_named(accounts: Accounts, query: str, field: str) -> None:
    """400, with the parameter to blame."""
    reply = accounts.gateway.admin("GET", f"/api/logs?{query}")
    assert (reply.status, reply.json()["code"], reply.json()["field"]) == (400, "invalid", field)


def test_a_call_that_is_not_there_is_not_found(accounts: Accounts, log: Log) -> None:
    """Whatever stands in its place."""
    for id in ("0" * 32, "x", "%F0%9F%8D%8E", "*"):
        reply = accounts.gateway.admin("GET", f"/api/logs/{id}")
        assert (reply.status, reply.json()["code"]) == (404, "not_found")


PATHS = ["/api/logs", "/api/logs/count", "/api/logs/export", "/api/logs/" + "0" * 32]


@pytest.mark.parametrize("path", PATHS)
def test_a_log_that_cannot_be_read_says_why(accounts: Accounts, log: Log, path: str) -> None:
    """Another database than the worker's is named with what to do; so is one that no worker has prepared."""
    told = log.client.get(LOG_DATABASE)
    assert told is not None
    try:
        log.client.set(LOG_DATABASE, "another")
        reply = accounts.gateway.admin("GET", path)
        assert (reply.status, reply.json()["code"]) == (503, "logs_elsewhere")
        assert "DATABASE_URL" in reply.json()["error"]
        log.client.delete(LOG_DATABASE)
        reply = accounts.gateway.admin("GET", path)
        assert (reply.status, reply.json()["code"]) == (503, "database_away")
    finally:
        log.client.set(LOG_DATABASE, told)
    assert accounts.gateway.admin("GET", path).status in (200, 404)


@pytest.mark.parametrize("path", PATHS)
def test_the_log_is_the_admins(accounts: Accounts, path: str) -> None:
    """No access token opens it, nor does nobody's."""
    assert accounts.gateway.request("GET", path).status == 401
    assert accounts.gateway.request("GET", path, headers=BEARER).status == 401


def test_refused_calls_and_those_answered_here_have_rows(accounts: Accounts, log: Log) -> None:
    """Attempt 0 with the code as the reason; strangers have a few a second."""
    accounts.add("one")
    refused = ask(accounts, "nobody-has-it")
    listed = accounts.gateway.request("GET", "/v1/models?key=secret-in-the-query", headers=BEARER)
    [row] = log.of(refused)["attempts"]
    assert (row["attempt"], row["final"], row["status"], row["outcome"]) == (0, True, 404, "refused")
    assert (row["reason"], row["channel"], row["token"]) == ("model_not_found", None, "AUTH_KEY #1")
    [row] = log.of(listed)["attempts"]
    assert (row["attempt"], row["outcome"], row["status"], row["path"]) == (0, "answered_here", 200, "/v1/models")
    for _ in range(3 * STRANGERS_A_SECOND):
        stranger = ask(accounts, headers={"Authorization": "Bearer sk-stranger"})
    assert stranger.status == 401
    wait_until(lambda: log.of(ask(accounts)), "what came before is rolled up")
    rows = log.list("?limit=500&outcome=refused&q=access_token_invalid")["logs"]
    seconds = {row["at_ms"] // 1000 for row in rows}
    assert STRANGERS_A_SECOND <= len(rows) <= STRANGERS_A_SECOND * (len(seconds) + 1)
    assert {row["token"] for row in rows} == {None}


def test_mappings_and_web_pages_have_one_row(accounts: Accounts, log: Log) -> None:
    """With the prefix as mapping; one that leads to a channel has that besides."""
    gateway = accounts.gateway
    accounts.add("one")
    upstream = Upstream()
    gateway.map("/logged", upstream.url)
    assert gateway.admin("POST", "/api/mappings", {"prefix": "/to-one", "target": "channel:one"}).status in (200, 201)
    try:
        [row] = log.of(gateway.request("GET", "/logged/x?key=secret-in-the-query"))["attempts"]
        assert (row["mapping"], row["channel"], row["attempt"], row["outcome"]) == ("/logged", None, 1, "ok")
        reply = gateway.request("POST", f"/to-one{CHAT}", '{"model": "m"}', BEARER)
        [row] = log.of(reply)["attempts"]
        assert (row["mapping"], row["channel"], row["path"]) == ("/to-one", "one", f"/to-one{CHAT}")
    finally:
        gateway.admin("DELETE", "/api/mappings/logged")
        gateway.admin("DELETE", "/api/mappings/to-one")
        upstream.close()


def test_the_log_is_pruned_when_it_is_asked_for(accounts: Accounts, log: Log) -> None:
    """By the worker, who tells how many rows went, and how much room the rest takes."""
    now_ms = time.time_ns() // 1_000_000
    book(log.client, mapped("long ago"), process="pruned", seq=now_ms)
    book(log.client, mapped("just now", ended_at_ms=now_ms), process="recent", seq=now_ms, now_ms=now_ms)
    log.catch_up()
    there = {one.row.request_id for one in log.rows()}  # with what was told late of earlier tests' calls
    assert there >= {"long ago", "just now"}
    with log.caught_up():
        reply = accounts.gateway.admin("POST", "/api/logs/prune")
    assert (reply.status, reply.json()["removed"]) == (200, 1)
    assert reply.json()["bytes"] > 0
    left = {one.row.request_id for one in log.rows()}
    assert "long ago" not in left
    assert left >= there - {"long ago"}
    assert accounts.gateway.request("POST", "/api/logs/prune").status == 401


def test_hostile_names_are_only_text(accounts: Accounts, log: Log) -> None:
    """And are found by what they are."""
    accounts.add("one", models=[{"name": "*"}])
    model = '<img src=x onerror=alert(1)>"\\\u2028 模型 %00'
    reply = ask(accounts, model, headers={"User-Agent": "=cmd|'/c calc'!A0"})
    [row] = log.of(reply)["attempts"]
    assert (row["model"], row["user_agent"]) == (model, "=cmd|'/c calc'!A0")
    assert [one["request_id"] for one in log.list("?q=%E6%A8%A1%E5%9E%8B")["logs"]] == [row["request_id"]]


def test_no_secret_stands_in_the_log(accounts: Accounts, log: Log) -> None:
    """Neither of the caller, nor of the channel, though the upstream repeats it."""

    def repeats(peer: Peer) -> None:
        while (seen := peer.read_request()) is not None:
            told = {"error": {"message": f"no credit on {seen.field('authorization')}"}}
            peer.answer(json.dumps(told).encode(), "402 Pay")

    accounts.upstream.handler = repeats
    accounts.add("one", [KEY])
    for path in (f"{CHAT}?key={TOKEN}", CHAT):
        log.of(accounts.gateway.request("POST", path, '{"model": "m"}', BEARER))
    answers = log.gateway.admin("GET", "/api/logs").body
    kept = Path(log.database.url.name).read_bytes() + Path(log.database.url.name + "-wal").read_bytes()
    assert b"no credit on" in kept
    for secret in (KEY, TOKEN):
        assert secret.encode() not in kept + answers


def test_strangers_are_told_no_cost(accounts: Accounts, log: Log) -> None:
    """The dashboard and what it reads say nothing of money, of channels or of tokens."""
    accounts.add("a-channel-of-mine")
    log.of(ask(accounts))
    for path in ("/stats", "/stats?window=24h", "/", "/health"):
        text = accounts.gateway.request("GET", path).body.lower()
        for word in (b"cost", b"usd", b"spent", b"budget", b"a-channel-of-mine", b"auth_key #"):
            assert word not in text, (path, word)


def test_the_longest_page_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """500 rows are written in steps of less than 5 ms of CPU, after each of which others have their turn."""
    row = rows_of(called(use={"user_agent": "u" * 200, "reason": "r" * 300}), NOON_MS)[0]
    steps = [time.thread_time()]
    monkeypatch.setattr(row_answers, "give_way", lambda: steps.append(time.thread_time()))
    assert len(list(row_answers.written([KeptRow(id, row) for id in range(500)]))) == 500
    assert len(steps) == 6
    assert sorted(after - before for before, after in pairwise(steps))[-2] < 0.005
