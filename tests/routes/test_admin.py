"""The admin API: who is let in, and what may be done with mappings."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from app.storage.connections import ADMIN_FAILURES, MAPPINGS, MAPPINGS_UPDATES, MAPPINGS_VERSION
from tests.support.described import operations_of, read_document
from tests.support.gateway import ADMIN_TOKEN, GatewayProcess
from tests.support.waiting import wait_until

JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def forgive(redis_client: redis.Redis) -> Iterator[None]:
    """No test locks the address out for the others."""
    yield
    for key in redis_client.scan_iter(ADMIN_FAILURES + "*"):
        redis_client.delete(key)


def login(gateway: GatewayProcess, token: str = ADMIN_TOKEN, headers: dict[str, str] | None = None):
    return gateway.request("POST", "/api/admin/login", json.dumps({"token": token}), JSON | (headers or {}))


@pytest.fixture
def guarded(gateway: GatewayProcess) -> list[tuple[str, str]]:
    """Methods and paths of all that the document of the API guards, in which every route stands."""
    operations = operations_of(read_document(gateway))
    return [(one.method.upper(), re.sub(r"{\w+}", "x", one.path)) for one in operations if not one.open]


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "wrong", "Bearer ", "Basic " + ADMIN_TOKEN])
def test_no_route_forgets_the_check(
    gateway: GatewayProcess, redis_client: redis.Redis, guarded: list[tuple[str, str]], authorization: str | None
) -> None:
    """Every admin route answers 401 to whoever does not hold the token."""
    headers = JSON | ({"Authorization": authorization} if authorization else {})
    for method, path in guarded:
        reply = gateway.request(method, path, b"{}", headers)
        told = reply.json()
        assert (reply.status, told["code"] in ("token_missing", "token_wrong")) == (401, True), (method, path, told)
        redis_client.delete(*redis_client.scan_iter(ADMIN_FAILURES + "*"), "")


@pytest.mark.parametrize("authorization", [f"Bearer {ADMIN_TOKEN}", f"bearer {ADMIN_TOKEN}", ADMIN_TOKEN])
def test_token_in_the_header(gateway: GatewayProcess, authorization: str) -> None:
    """The token opens the API as a bearer or bare."""
    assert gateway.request("GET", "/api/mappings", headers={"Authorization": authorization}).status == 200


def test_login_gives_a_session_and_logout_ends_it(gateway: GatewayProcess, redis_client: redis.Redis) -> None:
    """A browser gets a session id, never the token; it stays off proxied paths and is worth nothing after logout."""
    reply = login(gateway)
    assert (reply.status, reply.json()["success"]) == (200, True)
    cookie = reply.field("set-cookie") or ""
    for attribute in ("HttpOnly", "SameSite=Strict", "Path=/api;", "Max-Age=43200"):
        assert attribute in cookie + ";"
    assert "Secure" not in cookie
    session = cookie.split(";")[0]
    assert ADMIN_TOKEN not in session
    assert not any(session.split("=")[1].encode() in key for key in redis_client.keys("apiproxy:admin:*"))
    assert gateway.request("GET", "/api/mappings", headers={"Cookie": session}).status == 200
    form = {"Cookie": session, "Content-Type": "application/x-www-form-urlencoded"}
    assert gateway.request("POST", "/api/admin/logout", b"", form).status == 400  # as any page could send it
    gateway.request("POST", "/api/admin/logout", b"{}", JSON | {"Cookie": session})
    assert gateway.request("GET", "/api/mappings", headers={"Cookie": session}).status == 401


def test_cookie_is_secure_behind_tls(start_gateway: Callable[..., GatewayProcess]) -> None:
    """Behind a trusted proxy that ended TLS the cookie is Secure, and the proxy's word on the address counts."""
    behind = start_gateway(TRUSTED_PROXY_COUNT="1")
    reply = login(behind, headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.7"})
    assert "Secure" in (reply.field("set-cookie") or "")
    for _ in range(5):
        login(behind, "wrong", {"X-Forwarded-For": "198.51.100.7"})
    assert login(behind, headers={"X-Forwarded-For": "198.51.100.7"}).status == 429
    assert login(behind, headers={"X-Forwarded-For": "198.51.100.8"}).status == 200


def test_forwarded_address_is_not_believed_by_default(gateway: GatewayProcess) -> None:
    """Without a trusted proxy X-Forwarded-For does not free a caller of its lock."""
    for number in range(5):
        assert login(gateway, "wrong", {"X-Forwarded-For": f"198.51.100.{number}"}).status == 401
    assert login(gateway, headers={"X-Forwarded-For": "198.51.100.99"}).status == 429


def test_five_wrong_tries_lock_the_address(gateway: GatewayProcess, redis_client: redis.Redis) -> None:
    """After five wrong tokens even the right one waits 15 minutes, in the form and in the header."""
    for _ in range(5):
        assert login(gateway, "wrong").status == 401
    locked = login(gateway)
    assert locked.status == 429
    assert 890 <= int(locked.field("retry-after") or 0) <= 900
    assert gateway.admin("GET", "/api/mappings").status == 429
    for key in redis_client.scan_iter(ADMIN_FAILURES + "*"):
        redis_client.expire(key, 0)
    assert login(gateway).status == 200


def test_a_burst_of_guesses_is_counted_one_by_one(gateway: GatewayProcess) -> None:
    """Of many guesses at once five are judged; a right one among the rest is refused too."""
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(login(gateway, "wrong").status)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [401] * 5 + [429] * 15
    assert login(gateway).status == 429


def test_a_changed_token_ends_its_sessions(
    gateway: GatewayProcess, start_gateway: Callable[..., GatewayProcess]
) -> None:
    """A session that was opened with another token is worth nothing."""
    session = (login(gateway).field("set-cookie") or "").split(";")[0]
    changed = start_gateway(ADMIN_TOKEN="another-token")
    assert changed.request("GET", "/api/mappings", headers={"Cookie": session}).status == 401


def test_without_a_token_the_admin_is_shut(
    start_gateway: Callable[..., GatewayProcess], guarded: list[tuple[str, str]]
) -> None:
    """Without ADMIN_TOKEN every admin call answers 503 and says why."""
    shut = start_gateway(ADMIN_TOKEN="")
    for method, path in [*guarded, ("POST", "/api/admin/login"), ("POST", "/api/admin/logout")]:
        reply = shut.request(method, path, b"{}", JSON)
        told = reply.json()
        assert (reply.status, told["code"]) == (503, "admin_disabled"), (method, path)
        assert told["error"] == "Admin functionality is disabled (ADMIN_TOKEN not set)"


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"token":1}', "{bad"])
def test_login_wants_a_token(gateway: GatewayProcess, body: str) -> None:
    """A login without a token is a 400, not a wrong try."""
    reply = gateway.request("POST", "/api/admin/login", body, JSON)
    assert (reply.status, reply.json()) == (400, {"error": "Invalid request body", "code": "bad_json"})


# --- mappings ---


def test_life_of_a_mapping(gateway: GatewayProcess) -> None:
    """Add, list, change and delete answer in the documented shapes, and each raises the version."""
    before = gateway.admin("GET", "/api/mappings").json()["version"]
    target = "https://one.example/base"
    reply = gateway.admin("POST", "/api/mappings", {"prefix": "/life/of", "target": target})
    assert (reply.status, reply.json()) == (
        201,
        {
            "success": True,
            "message": "Mapping added successfully",
            "mapping": {"prefix": "/life/of", "target": target},
        },
    )
    listed = gateway.admin("GET", "/api/mappings").json()
    assert listed["mappings"]["/life/of"] == target
    assert listed["count"] == len(listed["mappings"])
    again = gateway.admin("POST", "/api/mappings", {"prefix": "/life/of", "target": target})
    taken = {"error": "mapping already exists for prefix: /life/of", "code": "name_taken", "field": "prefix"}
    assert (again.status, again.json()) == (400, taken)
    assert gateway.admin("PUT", "/api/mappings/life/of", {"target": "https://two.example"}).status == 200
    assert gateway.admin("GET", "/api/mappings").json()["mappings"]["/life/of"] == "https://two.example"
    gone = gateway.admin("DELETE", "/api/mappings/life/of").json()
    assert gone == {"success": True, "message": "Mapping deleted successfully", "prefix": "/life/of"}
    missing = gateway.admin("DELETE", "/api/mappings/life/of")
    unknown = {"error": "mapping not found for prefix: /life/of", "code": "not_found"}
    assert (missing.status, missing.json()) == (404, unknown)
    assert gateway.admin("PUT", "/api/mappings/life/of", {"target": target}).status == 404
    assert gateway.admin("GET", "/api/mappings").json()["version"] == before + 3
    reloaded = gateway.admin("POST", "/api/mappings/reload").json()
    assert reloaded["version"] == before + 3


@pytest.mark.parametrize(
    ("body", "says", "code", "field"),
    [
        ({"prefix": "x", "target": "https://a.example"}, "start with '/'", "invalid", "prefix"),
        ({"prefix": "/api/x", "target": "https://a.example"}, "the gateway itself", "invalid", "prefix"),
        ({"prefix": "/x y", "target": "https://a.example"}, "blanks", "invalid", "prefix"),
        ({"prefix": "/x", "target": "ftp://a.example"}, "http", "invalid", "target"),
        ({"prefix": "/x", "target": "https://a.example:x"}, "no URL", "invalid", "target"),
        ({"prefix": "/x", "target": "https://u:p@a.example"}, "password", "invalid", "target"),
        ({"prefix": "/x"}, "target is missing", "invalid", "target"),
        ({"target": "https://a.example"}, "prefix is missing", "invalid", "prefix"),
        ({"prefix": 1, "target": "https://a.example"}, "prefix must be a text", "invalid", "prefix"),
        ([], "Invalid request body", "bad_json", None),
        ({"prefix": "/x", "target": "http://169.254.169.254/latest"}, "EGRESS_ALLOW", "address_refused", "target"),
        ({"prefix": "/x", "target": "http://10.0.0.1"}, "EGRESS_ALLOW", "address_refused", "target"),
        ({"prefix": "/x", "target": "https://a.example", "option": {}}, "'option'", "unknown_field", "option"),
    ],
)
def test_bad_mappings_are_refused_with_a_reason(
    gateway: GatewayProcess, body: object, says: str, code: str, field: str | None
) -> None:
    """What cannot be a mapping is a 400 whose text says what to do, with a code and the field to blame."""
    reply = gateway.admin("POST", "/api/mappings", body)
    assert reply.status == 400
    error = reply.json()
    assert says in error.pop("error")
    assert error == ({"code": code, "field": field} if field else {"code": code})


def test_what_was_listed_can_be_sent_back(gateway: GatewayProcess) -> None:
    """A change may hold the prefix as it was listed; the path says which mapping is meant."""
    whole = {"prefix": "/sent/back", "target": "https://a.example", "options": {"burst": 2}}
    assert gateway.admin("POST", "/api/mappings", whole).status == 201
    assert gateway.admin("PUT", "/api/mappings/sent/back", whole).status == 200
    gateway.admin("DELETE", "/api/mappings/sent/back")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/api/nowhere", b"", 404, "not_found"),
        ("PATCH", "/api/mappings", b"", 405, "method_not_allowed"),
        ("POST", "/api/mappings", b" " * (16 * 1024 * 1024 + 1), 413, "body_too_large"),
        ("POST", "/api/admin/login", b" " * (64 * 1024 + 1), 413, "body_too_large"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_what_no_route_takes_has_the_same_shape(
    gateway: GatewayProcess, method: str, path: str, body: bytes, status: int, code: str
) -> None:
    """Unknown paths, wrong methods and bodies that are too long answer as every error of the admin API does."""
    reply = gateway.request(method, path, body, JSON | {"Authorization": f"Bearer {ADMIN_TOKEN}"})
    assert (reply.status, reply.json()["code"], set(reply.json())) == (status, code, {"error", "code"})
    assert (reply.field("allow") is not None) == (status == 405)


def test_script_in_a_name_is_only_text(gateway: GatewayProcess) -> None:
    """Markup in a prefix is stored, listed and deleted as text, as JSON that no browser renders."""
    prefix = "/<script>alert(1)</script>"
    assert gateway.admin("POST", "/api/mappings", {"prefix": prefix, "target": "https://a.example"}).status == 201
    reply = gateway.admin("GET", "/api/mappings")
    assert reply.json()["mappings"][prefix] == "https://a.example"
    assert (reply.field("content-type"), reply.field("x-content-type-options")) == ("application/json", "nosniff")
    quoted = "/api/mappings/%3Cscript%3Ealert(1)%3C/script%3E"
    assert gateway.admin("DELETE", quoted).status == 200


def test_hand_written_entries_appear_and_bad_ones_can_be_deleted(
    gateway: GatewayProcess, redis_client: redis.Redis
) -> None:
    """What redis-cli wrote is there after a reload; what is no mapping is shown with its reason and can be removed."""
    redis_client.hset(MAPPINGS, "/by/hand", "https://hand.example")
    redis_client.hset(MAPPINGS, "/bad", "nonsense")
    gateway.admin("POST", "/api/mappings/reload")
    listed = gateway.admin("GET", "/api/mappings").json()
    assert listed["mappings"]["/by/hand"] == "https://hand.example"
    assert "http" in listed["rejected"]["/bad"]
    assert listed["rejected_errors"] == {"/bad": {"code": "invalid", "field": "target"}}
    for path in ("by/hand", "bad"):
        assert gateway.admin("DELETE", f"/api/mappings/{path}").status == 200


def test_changes_reach_every_process_within_a_second(
    gateway: GatewayProcess, start_gateway: Callable[..., GatewayProcess], redis_client: redis.Redis
) -> None:
    """Another process on the same Redis serves a mapping within a second of its making through the API."""
    other = start_gateway(WEB_CONCURRENCY="2")
    gateway.admin("POST", "/api/mappings", {"prefix": "/hot", "target": "http://127.0.0.1:1"})
    wait_until(lambda: other.request("GET", "/hot/x").status == 502, "the mapping is known", timeout_s=1)
    gateway.admin("DELETE", "/api/mappings/hot")
    wait_until(lambda: all(other.request("GET", "/hot/x").status == 404 for _ in range(6)), "it is gone", timeout_s=1.5)


def test_a_bare_hset_is_picked_up(gateway: GatewayProcess, redis_client: redis.Redis) -> None:
    """An entry written with redis-cli, without version or message, serves within 10 s."""
    redis_client.hset(MAPPINGS, "/bare", "http://127.0.0.1:1")
    started = time.monotonic()
    wait_until(lambda: gateway.request("GET", "/bare/x").status == 502, "the entry is known", timeout_s=10)
    assert time.monotonic() - started < 10
    redis_client.hdel(MAPPINGS, "/bare")


def test_the_old_contract_in_redis(gateway: GatewayProcess, redis_client: redis.Redis) -> None:
    """A change writes the hash, raises the version and publishes the documented words."""
    with redis_client.pubsub(ignore_subscribe_messages=True) as heard:
        heard.subscribe(MAPPINGS_UPDATES)
        heard.get_message(timeout=1)
        version = int(redis_client.get(MAPPINGS_VERSION) or 0)
        gateway.admin("POST", "/api/mappings", {"prefix": "/contract", "target": "https://a.example"})
        assert redis_client.hget(MAPPINGS, "/contract") == b"https://a.example"
        gateway.admin("PUT", "/api/mappings/contract", {"target": "https://b.example"})
        gateway.admin("DELETE", "/api/mappings/contract")
        words = []
        wait_until(
            lambda: ((message := heard.get_message(timeout=0.1)) and words.append(message["data"])) or len(words) == 3,
            "three messages",
        )
        assert words == [b"mapping_added", b"mapping_updated", b"mapping_deleted"]
        assert int(redis_client.get(MAPPINGS_VERSION)) == version + 3
