"""No key of a channel and no access token stands anywhere that is not its own store, whatever upstreams say of them."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
import time
from collections.abc import Iterator, Set
from contextlib import closing, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from app.storage.connections import (
    ACTIVE_OF,
    AUDIT_WAITING,
    CHANNEL_KEYS,
    LOG_WAITING,
    STATS_TOKENS,
    TABLE,
    open_redis,
)
from tests.support import provider as of
from tests.support.api_calls import BEARER, TOKEN
from tests.support.environ import database_of
from tests.support.gateway import receive_all
from tests.support.log_rows import Log
from tests.support.said_answers import PLAIN_PATHS, body_for, path_of
from tests.support.tokens import Issued, add_token, change_token
from tests.support.upstream import Peer
from tests.support.waiting import wait_until
from tests.support.worker_process import spawn_worker
from tests.support.world import World, open_world

KEY = "sk-canary-5c1f0e8d7b"
"""Each account's own has its name behind it."""


def tells(peer: Peer, asked: of.Asked, status: str, body: bytes, fields: str = "") -> None:
    peer.answer(body, status, f"Content-Type: application/json\r\n{fields}")


def in_the_body(status: str, error: str) -> of.Answer:
    """An error that repeats the key."""
    return lambda peer, asked: tells(peer, asked, status, error.replace("KEY", asked.key).encode())


def in_fields(peer: Peer, asked: of.Asked) -> None:
    tells(peer, asked, "503 Away", b"{}", f"X-Echo: Bearer {asked.key}\r\nLocation: /?key={asked.key}\r\n")


def in_the_reason(peer: Peer, asked: of.Asked) -> None:
    tells(peer, asked, f"500 No {asked.key}", b"{}")


def compressed(peer: Peer, asked: of.Asked) -> None:
    told = gzip.compress(b'{"error": {"message": "no %b"}}' % asked.key.encode())
    tells(peer, asked, "500 Broken", told, "Content-Encoding: gzip\r\n")


def no_http(peer: Peer, asked: of.Asked) -> None:
    peer.send(f"what is {asked.key}?\r\n\r\n".encode())
    of.closes(peer)


def odd_chunk(peer: Peer, asked: of.Asked) -> None:
    peer.send(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{asked.key}\r\n".encode())
    of.closes(peer)


def after_the_commit(peer: Peer, asked: of.Asked) -> None:
    """Content, and then an error that repeats the key."""
    told = {"type": "error", "error": {"type": "api_error", "message": f"no credit left for {asked.key}"}}
    event = b"event: error\ndata: " + json.dumps(told).encode() + b"\n\n"
    of.speaks(peer, asked, lambda peer: time.sleep(0.02), 5)  # so that mostly it has been passed on by then
    if asked.is_stream:
        peer.send_chunk(event)
    of.closes(peer)


def in_pieces(peer: Peer, asked: of.Asked) -> None:
    """The same, and the network cuts the event behind the key."""
    event = b'data: {"type": "error", "error": {"message": "no credit left for %b"}}\n\n' % asked.key.encode()
    of.speaks(peer, asked, lambda peer: time.sleep(0.02), 5)
    if asked.is_stream:
        for piece in (event[:-2], event[-2:]):
            peer.send_chunk(piece)
            time.sleep(0.02)
    of.closes(peer)


def good_with_fields(peer: Peer, asked: of.Asked) -> None:
    body = of.plain(asked.dialect, "hi")
    if asked.is_stream:
        opening, content, ending = of.events(asked.dialect, ["hi"])
        body = b"".join([*opening, *content, *ending])
    kind = "text/event-stream" if asked.is_stream else "application/json"
    peer.answer(body, fields=f"Content-Type: {kind}\r\nX-Echo: {asked.key}\r\n")


SAYS: dict[str, of.Answer] = {
    "invalid": in_the_body("401 No", '{"error": {"message": "Incorrect API key: KEY", "code": "invalid_api_key"}}'),
    "refused": in_the_body("403 No", '{"error": {"message": "KEY may not"}}'),
    "spent": in_the_body("402 No", '{"error": {"message": "no credit on KEY"}}'),
    "limited": in_the_body("429 No", '{"error": {"message": "KEY asks too often"}}'),
    "clients": in_the_body("400 No", '{"error": {"message": "KEY sent what is not understood"}}'),
    "page": in_the_body("500 No", "<html>KEY</html>"),
    "soft": in_the_body("200 OK", '{"error": {"message": "KEY is unwell", "type": "server_error"}}'),
    "no JSON": in_the_body("200 OK", "KEY"),
    "fields": in_fields,
    "reason": in_the_reason,
    "compressed": compressed,
    "no HTTP": no_http,
    "odd chunk": odd_chunk,
    "after the commit": after_the_commit,
    "good": good_with_fields,
    "in pieces": in_pieces,
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One account for each way to repeat a key."""
    journals = tmp_path_factory.mktemp("journals")
    with open_world(tmp_path_factory.mktemp("redis"), JOURNAL_DIR=str(journals)) as world:
        for place, name in enumerate(SAYS):
            account = f"account-{place}"
            world.provider.scripts[account] = [SAYS[name]]
            models = [{"name": f"m{place}"}]
            world.accounts.add(name, [f"{KEY}-{account}"], urls=[{"url": world.provider.url(account)}], models=models)
        world.gateway.admin("PUT", "/api/settings", {"log_bodies_minutes": 60})
        catch_up(world)
        yield world


def catch_up(world: World, ended: Set[str] = frozenset()) -> None:
    """What Redis was told of is counted, and in the request log; these calls are, of which it may hear only soon."""
    with open_redis(world.redis.url) as client:
        log = Log(world.gateway, client)

        def has_all() -> bool:
            log.catch_up()
            return ended <= {kept.row.request_id for kept in log.rows()}

        wait_until(has_all, "all are in the log")


def bare(world: World, place: int, dialect: str, is_stream: bool) -> bytes:
    """All that a client gets, from the status line on."""
    path = path_of(dialect, is_stream).replace("/m:", f"/m{place}:")
    body = body_for(dialect, is_stream, "hi", model=f"m{place}")
    lines = [f"{name}: {value}" for name, value in BEARER.items()]
    head = "\r\n".join(
        [f"POST {path} HTTP/1.1", "Host: g", "Connection: close", f"Content-Length: {len(body)}", *lines]
    )
    with world.gateway.connect() as sock:
        sock.sendall(head.encode() + b"\r\n\r\n" + body)
        return receive_all(sock)


def assert_clean(what: str, text: str | bytes) -> None:
    text = text.decode(errors="replace") if isinstance(text, bytes) else text
    for secret in (KEY, TOKEN):
        at = text.find(secret)
        assert at < 0, f"{what}: {text[max(0, at - 300) : at + 60]}"


@pytest.mark.parametrize("is_stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("dialect", PLAIN_PATHS)
@pytest.mark.parametrize("name", SAYS)
def test_no_answer_repeats_a_key(world: World, name: str, dialect: str, is_stream: bool) -> None:
    """Neither its status line, nor its fields, nor its body, even where an error comes in a stream that went well."""
    place = list(SAYS).index(name)
    world.gateway.admin("GET", "/reset-keys")
    world.gateway.admin("POST", "/api/channels/batch", {"ids": ids(world), "action": "clear_cooldowns"})
    before = len(world.provider.asked)
    told = bare(world, place, dialect, is_stream)
    assert f"{KEY}-account-{place}" in [asked.key for asked in world.provider.asked[before:]], told
    assert_clean(f"{name}, {dialect}", told)
    assert told.startswith(b"HTTP/1.1 ")
    assert b"internal_error" not in told


# --- access tokens that an operator makes ---


@pytest.fixture(scope="module")
def token(world: World) -> Issued:
    """One that was shown everywhere, well and badly, and refused for all reasons that there are."""
    token = add_token(world.gateway, "canary", web_pages=True)
    add_token(world.gateway, "another")
    world.gateway.admin(
        "POST",
        "/api/mappings",
        {"prefix": "/mapped", "target": world.provider.url("account-14"), "options": {"require_token": True}},
    )
    for said in (
        {},
        {"models": ["other"]},
        {"models": [], "routes": {"mode": "allow"}},
        {"routes": {"mode": "all"}, "requests_per_minute": 1},
        {"requests_per_minute": 0, "enabled": False},
    ):
        change_token(world.gateway, token, **said)
        shown_everywhere(world, token)
    change_token(world.gateway, token, enabled=True)
    shown_everywhere(world, token)
    with open_redis(world.redis.url) as client:
        wait_until(lambda: (catch_up(world), client.hexists(STATS_TOKENS, token.id))[1], "it is counted")
    return token


READ = ("/v1/models", "/v1/dashboard/usage", "/api/tokens")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def shown_everywhere(world: World, token: Issued) -> None:
    ways = [{"Authorization": f"Bearer {token.text}"}, {"x-api-key": token.text}, {"x-gateway-token": token.text}, {}]
    for way in ways:
        key = "" if way else f"?key={token.text}"
        for path in (
            *PLAIN_PATHS.values(),
            "/mapped/v1/chat/completions",
            "/v1/models",
            "/v1/dashboard/usage",
            "/api/tokens",
        ):
            method = "GET" if path in READ else "POST"
            body = '{"model": "m14"}' if method == "POST" else None
            reply = world.gateway.request(method, path + key, body, {"Content-Type": "application/json"} | way)
            clean_of(token, path, str(reply.fields) + reply.body.decode(errors="replace"))
    shown = {"Proxy-Authorization": f"Bearer {token.text}"}
    clean_of(token, "a page", world.gateway.request("GET", "/proxy/http://127.0.0.1:1/", headers=shown).body)


def clean_of(token: Issued, what: str, text: str | bytes) -> None:
    """Nothing longer than its hint: no part of the middle, nor what the hint shows and one more."""
    text = text.decode(errors="replace") if isinstance(text, bytes) else text
    for escaped in ("\\u2026", r"\xe2\x80\xa6"):  # the hint's dots: their last digit would pass for a part of the token
        text = text.replace(escaped, "…")
    parts = [token.text[:11], token.text[-5:], *(token.text[at : at + 8] for at in range(7, len(token.text) - 8))]
    for part in parts:
        assert part not in text, f"{what} tells {part!r}"


def test_no_answer_and_no_upstream_is_told_a_token(world: World, token: Issued) -> None:
    """Neither the admin API, but for the one answer that makes it."""
    rows = world.gateway.admin("GET", f"/api/logs?limit=500&token_id={token.id}")
    assert len(rows.json()["logs"]) > 20
    clean_of(token, "the request log", rows.body)
    own = f"/api/tokens/{token.id}"
    for path in (
        "/api/tokens",
        own,
        f"{own}/usage",
        "/api/logs?limit=500",
        "/api/settings",
        "/api/mappings",
        "/stats",
        "/health",
        "/",
    ):
        clean_of(token, path, world.gateway.admin("GET", path).body)
    body = {"path": "/v1/messages", "body": {"model": "m0"}, "headers": token.bearer}
    clean_of(token, "explain", world.gateway.admin("POST", "/api/explain", body).body)
    assert world.provider.asked
    for seen in world.provider.upstream.seen:
        clean_of(token, "an upstream", seen.head + seen.body)


def test_no_body_that_is_kept_tells_a_secret(world: World, token: Issued) -> None:
    """Of no call, whatever the upstream said: neither the caller's token, nor the channel's key."""
    catch_up(world, fail_all(world))
    rows = world.gateway.admin("GET", "/api/logs?limit=500&final=true").json()["logs"]
    told = [world.gateway.admin("GET", f"/api/logs/{row['request_id']}") for row in rows]
    for reply in told:
        clean_of(token, "bodies", reply.body)
        assert_clean("bodies", reply.body)
    kept = [reply.json()["bodies"] for reply in told]
    assert sum(one is not None and bool(one["request"]["text"] and one["answer"]["text"]) for one in kept) > 20


def test_redis_has_the_hash_of_a_token_and_no_part_of_it(world: World, token: Issued) -> None:
    """Nor has another place of it the hash."""
    hashed = sha256(token.text.encode()).hexdigest()
    with open_redis(world.redis.url) as client:
        found = {_bytes(key).decode(): str(values_of(client, key)) for key in client.scan_iter()}
    for key, values in found.items():
        clean_of(token, key, values)
    assert [key for key, values in found.items() if hashed in values] == [TABLE + "access_tokens"]


def test_no_log_line_and_no_journal_has_a_token(world: World, token: Issued) -> None:
    log = world.gateway.settled_log("token=canary")
    clean_of(token, "the log", log)
    for file in Path(world.gateway.environ["JOURNAL_DIR"]).rglob("*"):
        if file.is_file():
            clean_of(token, file.name, file.read_bytes())


def ids(world: World) -> list[str]:
    return [channel["id"] for channel in world.gateway.admin("GET", "/api/channels").json()["channels"]]


def fail_all(world: World) -> set[str]:
    """The ids of the calls."""
    told = [bare(world, place, "openai", is_stream=place % 2 == 0) for place in range(len(SAYS))]
    return {re.findall(rb"(?i)\r\nx-request-id: ([0-9a-f]{32})\r\n", one)[0].decode() for one in told}


def test_no_answer_of_our_own_tells_one(world: World) -> None:
    """Status, statistics, pages, and the admin API, which alone reveals and exports keys where that is asked."""
    catch_up(world, fail_all(world))
    gateway = world.gateway
    body = {"path": PLAIN_PATHS["openai"], "body": '{"model": "m0"}', "headers": BEARER}
    answers = {
        path: gateway.admin("GET", path)
        for path in [
            "/health", "/stats", "/blacklist", "/reset-keys", "/api/channels", "/api/mappings", "/api/settings",
            "/api/outcome-rules", "/", "/admin/", "/robots.txt", "/admin/channels", "/public/summary", *TOLD_OF_CALLS,
        ]
    }  # fmt: skip
    passphrase = {"Authorization": f"Bearer {gateway.admin_token}", "X-Backup-Passphrase": "long enough"}
    answers["a sealed backup"] = gateway.request("GET", "/api/backup", headers=passphrase)
    answers["explain"] = gateway.admin("POST", "/api/explain", body)
    for id in ids(world):
        answers |= {f"keys of {id}": gateway.admin("GET", f"/api/channels/{id}/keys")}
        answers |= {f"test of {id}": gateway.admin("POST", f"/api/channels/{id}/test", {})}
        answers |= {f"models of {id}": gateway.admin("POST", f"/api/channels/{id}/models/fetch", {})}
    for headers in ({}, {"Authorization": f"Bearer {TOKEN}x"}, {"x-api-key": f"{KEY}-account-1"}):
        answers[f"refused {headers}"] = gateway.request("POST", PLAIN_PATHS["openai"], '{"model": "m0"}', headers)
    assert {what: answers[what].status for what in TOLD_OF_CALLS} == dict.fromkeys(TOLD_OF_CALLS, 200)
    assert len([row for row in answers["/api/logs?limit=500"].json()["logs"] if row["reason"]]) >= len(SAYS) // 2
    for what, reply in answers.items():
        assert reply.status < 500 or what == "/health" or what.startswith("models"), f"{what}: {reply.body!r}"
        assert_clean(what, str(reply.fields) + reply.body.decode(errors="replace"))


TOLD_OF_CALLS = (
    "/api/logs?limit=500", "/api/logs/export?format=csv", "/api/logs/export?format=ndjson", "/api/audit?limit=500",
    "/api/stats?range=24h&by=channel,key", "/api/series?range=24h&bucket=hour&by=channel,key", "/stats/24h",
    "/api/backup", "/api/channels/export?secrets=false", "/api/warnings", "/api/tasks", "/api/tokens", "/api/prices",
)  # fmt: skip


def test_no_call_that_goes_on_tells_one(world: World) -> None:
    """Neither its channel's key nor its caller's token, while it goes on and when it is ended."""
    world.provider.scripts["held"] = [lambda peer, asked: of.speaks(peer, asked, lambda peer: peer.wait_closed(20))]
    said = {"urls": [{"url": world.provider.url("held")}], "models": [{"name": "held"}]}
    world.accounts.add("held", [f"{KEY}-held"], **said)
    body = body_for("openai", True, "hi", model="held")
    with world.gateway.connect() as sock:
        head = f"POST {path_of('openai', True)} HTTP/1.1\r\nHost: g\r\nContent-Length: {len(body)}\r\n"
        fields = "".join(f"{name}: {value}\r\n" for name, value in BEARER.items())
        sock.sendall(f"{head}{fields}Connection: close\r\n\r\n".encode() + body)
        wait_until(lambda: world.gateway.admin("GET", "/api/active").json()["count"] == 1, "it goes on")
        told = world.gateway.admin("GET", "/api/active")
        [call] = told.json()["active"]
        assert call["key_hint"]
        assert_clean("a call that goes on", told.body)
        with open_redis(world.redis.url) as client:
            kept = wait_until(
                lambda: [client.hgetall(key) for key in client.scan_iter(f"{ACTIVE_OF}*")], "Redis is told of it"
            )
        assert_clean("Redis, of it", str(kept))
        assert_clean("its end", world.gateway.admin("DELETE", f"/api/active/{call['id']}").body)
        assert_clean("its answer", receive_all(sock))
    del world.provider.scripts["held"]


def test_no_file_of_the_database_has_one(world: World, token: Issued) -> None:
    """Neither of rows, nor of entries of the audit, nor of the copy of what was said."""
    fail_all(world)
    with open_redis(world.redis.url) as client:
        worker = spawn_worker(world.redis.url)
        try:
            wait_until(lambda: not client.exists(LOG_WAITING, AUDIT_WAITING), "all is written", timeout_s=30)
            wait_until(lambda: in_tables(world, "gateway_catalogue"), "what was said is copied", timeout_s=30)
        finally:
            worker.terminate()
            worker.communicate(timeout=20)
    assert in_tables(world, "gateway_logs")
    assert in_tables(world, "gateway_audit")
    path = database_of(world.redis.url)
    for file in path.parent.glob(f"{path.name}*"):
        assert_clean(file.name, file.read_bytes())
        clean_of(token, file.name, file.read_bytes())


def in_tables(world: World, table: str) -> int:
    """How many rows a table has; 0, too, where nobody has made it."""
    with closing(sqlite3.connect(database_of(world.redis.url))) as connection, suppress(sqlite3.OperationalError):
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    return 0


def values_of(client: Any, key: bytes) -> Any:
    kind = client.type(key)
    match kind.decode() if isinstance(kind, bytes) else kind:
        case "string":
            return client.get(key)
        case "hash":
            return client.hgetall(key)
        case "list":
            return client.lrange(key, 0, -1)
        case "set":
            return client.smembers(key)
        case "zset":
            return client.zrange(key, 0, -1, withscores=True)
        case _:
            return client.xrange(key)


def test_redis_has_keys_in_their_own_store_alone(world: World) -> None:
    """And access tokens nowhere: they are the environment's."""
    fail_all(world)
    with open_redis(world.redis.url) as client:
        wait_until(lambda: any(b"usage" in _bytes(key) for key in client.scan_iter()), "what was observed is stored")
        found = {_bytes(key).decode(): str(values_of(client, key)) for key in client.scan_iter()}
    stores = [key for key, values in found.items() if KEY in key + values]
    assert len(stores) == len(ids(world))
    assert all(key.startswith(CHANNEL_KEYS) for key in stores), stores
    assert not [key for key, values in found.items() if TOKEN in key + values]


def _bytes(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else key


def test_no_log_line_and_no_journal_has_one(world: World) -> None:
    """Of calls that went well or failed, in whatever way."""
    fail_all(world)
    log = world.gateway.settled_log()
    assert log.count("request: ") >= len(SAYS)
    assert_clean("the log", log)
    files = [file for file in Path(world.gateway.environ["JOURNAL_DIR"]).rglob("*") if file.is_file()]
    assert files
    for file in files:
        assert_clean(file.name, file.read_bytes())
