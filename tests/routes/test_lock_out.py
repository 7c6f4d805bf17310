"""Who is locked out after wrong tries, and who is not."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import redis

from app.config import load_config
from app.core.callers.tickets import Tickets
from app.storage.admin_access import AddressLocked, AdminAccess, WrongToken
from app.storage.connections import ADMIN_FAILURES
from tests.support.gateway import ADMIN_TOKEN, GatewayProcess, Reply

JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def forgive(redis_client: redis.Redis) -> Iterator[None]:
    yield
    for key in redis_client.scan_iter(ADMIN_FAILURES + "*"):
        redis_client.delete(key)


def login(gateway: GatewayProcess, token: str = ADMIN_TOKEN, cookie: str = "") -> Reply:
    sent = JSON | ({"Cookie": cookie} if cookie else {})
    return gateway.request("POST", "/api/admin/login", json.dumps({"token": token}), sent)


def device_of(reply: Reply) -> tuple[str, str]:
    """The browser's lasting cookie and its attributes."""
    cookies = [value for name, value in reply.fields if name.lower() == "set-cookie"]
    pair, _, attributes = next(value for value in cookies if value.startswith("api_proxy_device=")).partition("; ")
    return pair, attributes


def lock(gateway: GatewayProcess) -> None:
    for _ in range(5):
        assert login(gateway, "a stranger's guess").status == 401
    assert login(gateway).status == 429


@pytest.mark.parametrize("token", ["sk-gw-the-admins-own", "0123456789abcdef" * 4])
def test_an_admins_token_that_looks_like_another_is_not_guessed_without_end(
    redis_client: redis.Redis, token: str
) -> None:
    """As an access token's or a login's would: then what looks so is a try like any other."""
    access = AdminAccess(redis_client, token)
    for number in range(5):
        with pytest.raises(WrongToken):
            access.check_bearer(token[:-1] + str(number), "192.0.2.7")
    with pytest.raises(AddressLocked):
        access.check_bearer(token, "192.0.2.7")


def test_strangers_do_not_lock_out_a_browser_that_was_logged_in(gateway: GatewayProcess) -> None:
    """At the same address, as all visitors have behind a router; and it does not free them."""
    device, attributes = device_of(login(gateway))
    lock(gateway)
    again = login(gateway, cookie=device)
    assert again.status == 200
    assert device_of(again)[0].partition(".")[0] == device.partition(".")[0]
    assert login(gateway).status == 429
    for attribute in ("HttpOnly", "SameSite=Strict", "Path=/api", "Max-Age=34560000"):
        assert attribute in attributes.split("; ")


def test_such_a_browser_guesses_no_more_often_than_others(gateway: GatewayProcess) -> None:
    """Its own wrong tries lock it, and nobody else."""
    device, _ = device_of(login(gateway))
    for _ in range(5):
        assert login(gateway, "wrong", device).status == 401
    assert login(gateway, cookie=device).status == 429
    assert login(gateway).status == 200


def test_the_lasting_cookie_opens_nothing(gateway: GatewayProcess) -> None:
    """Neither the admin API nor, as a ticket, the web proxy."""
    device, _ = device_of(login(gateway))
    assert gateway.request("GET", "/api/mappings", headers={"Cookie": device}).status == 401
    value = device.partition("=")[2]
    as_others = f"api_proxy_admin={value}; api_proxy_web={value}; api_proxy_web={value.partition('.')[2]}"
    assert gateway.request("GET", "/api/mappings", headers={"Cookie": as_others}).status == 401
    for ticket in (value, value.partition(".")[2]):
        assert gateway.request("GET", f"/proxy/~{ticket}/https://a.example/").status == 401
        assert gateway.request("GET", "/proxy/https://a.example/", headers={"Cookie": as_others}).status == 401


@pytest.mark.parametrize("kind", ["made up", "of another token", "expired", "of an address", "of another browser"])
def test_a_cookie_that_is_not_genuine_is_locked_like_a_stranger(gateway: GatewayProcess, kind: str) -> None:
    """It must bear a mark that the token of today alone can make."""
    tickets, old = Tickets(ADMIN_TOKEN), Tickets("yesterday's token")
    device, far = "0" * 32, 4_000_000_000
    ticket = {
        "made up": "ee6b2800.aaaaaaaaaaaaaaaaaaaa",
        "of another token": old.issue(f"browser:{device}", far),
        "expired": tickets.issue(f"browser:{device}", 1_000_000_000),
        "of an address": tickets.issue("127.0.0.1", far),
        "of another browser": tickets.issue(f"browser:{'1' * 32}", far),
    }[kind]
    lock(gateway)
    assert login(gateway, cookie=f"api_proxy_device={device}.{ticket}").status == 429


@pytest.mark.parametrize("empty", ["", " ", "\t"])
def test_no_token_is_no_try(gateway: GatewayProcess, redis_client: redis.Redis, empty: str) -> None:
    """As `Bearer $ADMIN_TOKEN` where the shell has none: 401, however often."""
    for _ in range(6):
        assert login(gateway, empty).status == 401
        assert gateway.request("GET", "/api/mappings", headers={"Authorization": f"Bearer {empty}"}).status == 401
        sent = {"Proxy-Authorization": f"Bearer {empty}"}
        assert gateway.request("GET", "/proxy/https://a.example/", headers=sent).status == 401
    assert not list(redis_client.scan_iter(ADMIN_FAILURES + "*"))
    assert login(gateway).status == 200


@pytest.mark.parametrize(
    ("environ", "count"),
    [
        ({}, 0),
        ({"SPACE_ID": "someone/gateway"}, 1),
        ({"DYNO": "web.1"}, 1),
        ({"SPACE_ID": "someone/gateway", "TRUSTED_PROXY_COUNT": "0"}, 0),
        ({"DYNO": "web.1", "TRUSTED_PROXY_COUNT": "2"}, 2),
        ({"SPACE_ID": " "}, 0),
    ],
)
def test_where_a_platforms_router_stands_before_us_it_is_believed(environ: dict[str, str], count: int) -> None:
    """Unless the count is said: else all visitors would be one, and lock each other out."""
    assert load_config(environ).trusted_proxy_count == count
