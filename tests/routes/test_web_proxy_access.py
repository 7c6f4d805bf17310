"""Web pages through the gateway: who may see them, and what they may reach."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable

import pytest

from app.core.callers.tickets import Tickets
from tests.support.answers import HTML, answering, values
from tests.support.gateway import ADMIN_TOKEN, GatewayProcess
from tests.support.upstream import Upstream

pytestmark = pytest.mark.usefixtures("forgive")


# --- who may ---


def test_pages_can_be_switched_off(start_gateway: Callable[..., GatewayProcess], site: Upstream) -> None:
    """WEB_PROXY=off: nothing is asked of any site."""
    gateway = start_gateway(WEB_PROXY="off")
    reply = gateway.request("GET", f"/proxy/{site.url}/")
    assert (reply.status, reply.json()["error"]["code"]) == (404, "web_proxy_off")
    assert not site.seen
    assert "/proxy" not in gateway.request("GET", "/stats").json()["endpoints"]
    form = gateway.request("GET", "/proxy/")
    assert (form.status, b"web_proxy_off" in form.body) == (404, True)


def test_an_open_door_to_the_world_is_warned_of_and_odd_ports_need_leave(
    start_gateway: Callable[..., GatewayProcess], site: Upstream
) -> None:
    """The log says so at the start, and what EGRESS_ALLOW means then.

    A web page is at 80, 443, 8080 or 8443, or where EGRESS_PORTS says.
    """
    to_all = start_gateway(WEB_PROXY="open", HOST="0.0.0.0", EGRESS_PORTS="")
    to_all.log_with(
        "HOST=0.0.0.0 is reached from elsewhere: anybody may see web pages", "can read what EGRESS_ALLOW opens"
    )
    reply = to_all.request("GET", f"/proxy/{site.url}/")
    assert (reply.status, reply.json()["error"]["code"]) == (403, "address_refused")
    assert "EGRESS_PORTS" in reply.json()["error"]["message"]
    assert not site.connections


def test_without_an_admin_token_nobody_can_be_let_in(
    start_gateway: Callable[..., GatewayProcess], site: Upstream
) -> None:
    """The default is closed, not open."""
    gateway = start_gateway(ADMIN_TOKEN="")
    reply = gateway.request("GET", f"/proxy/{site.url}/")
    assert (reply.status, reply.json()["error"]["code"]) == (503, "web_proxy_unavailable")


def test_strangers_are_asked_to_log_in(token_gateway: GatewayProcess, site: Upstream) -> None:
    """401 for nobody, for a wrong token, for a forged or foreign ticket and for a made-up cookie."""
    expires_s = int(time.time()) + 60
    foreign = Tickets(ADMIN_TOKEN).issue("203.0.113.9", expires_s)
    for path, headers in [
        (f"/proxy/{site.url}/", {}),
        (f"/proxy/{site.url}/", {"Proxy-Authorization": "Bearer wrong"}),
        (f"/proxy/~{foreign}/{site.url}/", {}),
        (f"/proxy/~{Tickets('other').issue('127.0.0.1', expires_s)}/{site.url}/", {}),
        (f"/proxy/~{Tickets(ADMIN_TOKEN).issue('127.0.0.1', 1)}/{site.url}/", {}),
        (f"/proxy/{site.url}/", {"Cookie": "api_proxy_web=made.up"}),
    ]:
        reply = token_gateway.request("GET", path, headers=headers)
        assert (reply.status, reply.json()["error"]["code"]) == (401, "login_required"), (path, headers)
    assert not site.seen


def test_a_program_shows_the_admin_token_which_goes_no_further(token_gateway: GatewayProcess, site: Upstream) -> None:
    """In Proxy-Authorization, and then Authorization is the site's; or in Authorization alone, and then nobody's."""
    shown = {"Proxy-Authorization": f"Bearer {ADMIN_TOKEN}", "Authorization": "Bearer for-the-site"}
    assert token_gateway.request("GET", f"/proxy/{site.url}/", headers=shown).status == 200
    assert site.seen[-1].field("authorization") == "Bearer for-the-site"
    alone = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    assert token_gateway.request("GET", f"/proxy/{site.url}/", headers=alone).status == 200
    assert ADMIN_TOKEN not in "".join(seen.head.decode("latin-1") for seen in site.seen)


@pytest.mark.parametrize("written", ["Bearer {}", "bearer   {}", "{}", "Bearer\t{}", "Token {}"])
def test_the_admins_token_leaves_nowhere_open_either(
    open_gateway: GatewayProcess, site: Upstream, written: str
) -> None:
    """A script that sends it to every address of the gateway does not give it away, however it writes it."""
    token = written.format(ADMIN_TOKEN)
    open_gateway.request("GET", f"/proxy/{site.url}/", headers={"Authorization": token})
    assert site.seen[-1].field("authorization") is None


@pytest.mark.own_server  # others join what is repeated
def test_the_admins_token_does_not_leave_behind_another_one(open_gateway: GatewayProcess, site: Upstream) -> None:
    """Each field is looked at, not the first alone."""
    fields = f"Host: g\r\nConnection: close\r\nAuthorization: Bearer x\r\nAuthorization: Bearer {ADMIN_TOKEN}\r\n\r\n"
    open_gateway.raw(f"GET /proxy/{site.url}/ HTTP/1.1\r\n{fields}".encode())
    assert [value for name, value in site.seen[-1].fields if name == "Authorization"] == ["Bearer x"]


def test_wrong_tokens_lock_the_address(token_gateway: GatewayProcess, site: Upstream) -> None:
    """Guessing here is no easier than at the admin's door."""
    wrong = {"Proxy-Authorization": "Bearer wrong"}
    statuses = [token_gateway.request("GET", f"/proxy/{site.url}/", headers=wrong).status for _ in range(6)]
    assert statuses == [401] * 5 + [429]


def test_a_login_opens_pages_by_a_ticket_in_their_addresses(token_gateway: GatewayProcess, site: Upstream) -> None:
    """The login's cookie leads to an address with a ticket, which links, redirects and cookies then keep."""
    body, kind = json.dumps({"token": ADMIN_TOKEN}), {"Content-Type": "application/json"}
    login = token_gateway.request("POST", "/api/admin/login", body, kind)
    cookies = {value.partition("=")[0]: value for value in values(login, "set-cookie")}
    assert "Path=/api;" in cookies["api_proxy_admin"] + ";"
    web = cookies["api_proxy_web"]
    assert all(part in web for part in ("HttpOnly", "Path=/proxy", "SameSite=Strict"))
    site.handler = answering(b"<img src=/a.png><a href=b>", HTML + "Set-Cookie: s=1; Path=/\r\n")
    led = token_gateway.request("GET", f"/proxy/{site.url}/", headers={"Cookie": web.partition(";")[0]})
    assert led.status == 307
    where = led.field("location") or ""
    ticket = re.fullmatch(rf"(/proxy/~[\w.-]+/){re.escape(site.url)}/", where)
    assert ticket is not None, where
    page = token_gateway.request("GET", where)  # as what a page loads: without any cookie
    assert page.status == 200
    assert page.body.decode() == f"<img src={ticket[1]}{site.url}/a.png><a href=b>"
    assert f"Path={where}" in (page.field("set-cookie") or "")
    assert "private" in values(page, "cache-control")
    assert site.seen[-1].field("cookie") is None
    assert site.seen[-1].target == "/"


def test_a_stale_ticket_is_replaced_where_the_login_still_stands(token_gateway: GatewayProcess, site: Upstream) -> None:
    """A client whose address changed is led to a ticket of its own."""
    tickets, expires_s = Tickets(ADMIN_TOKEN), int(time.time()) + 60
    cookie = {"Cookie": f"a=b; api_proxy_web={tickets.issue('browser', expires_s)}"}
    old = tickets.issue("203.0.113.9", expires_s)
    reply = token_gateway.request("GET", f"/proxy/~{old}/{site.url}/x?y", headers=cookie)
    fresh = tickets.issue("127.0.0.1", expires_s)
    assert (reply.status, reply.field("location")) == (307, f"/proxy/~{fresh}/{site.url}/x?y")


# --- what it may reach ---


def test_private_addresses_are_not_dialled(start_gateway: Callable[..., GatewayProcess], site: Upstream) -> None:
    """However they are spelt: 403, one line in the log, no connection. On loopback alone an open door is no warning."""
    gateway = start_gateway(WEB_PROXY="open", EGRESS_ALLOW="", EGRESS_PORTS="*")
    for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "[64:ff9b::7f00:1]"):
        reply = gateway.request("GET", f"/proxy/http://{host}:{site.port}/")
        if reply.status == 307:
            reply = gateway.request("GET", reply.field("location") or "")
        assert (reply.status, reply.json()["error"]["code"]) == (403, "address_refused"), host
    assert not site.connections
    said = gateway.final_log()
    assert said.count("address_refused: ") == 6
    assert "WEB_PROXY" not in said


def test_a_redirect_gains_nothing(open_gateway: GatewayProcess, site: Upstream) -> None:
    """The hop that it leads to is a request like any other."""
    site.handler = answering(b"", "Location: http://169.254.169.254/latest/meta-data/\r\n", "302 Found")
    hop = open_gateway.request("GET", f"/proxy/{site.url}/").field("location") or ""
    assert hop == "/proxy/http://169.254.169.254/latest/meta-data/"
    reply = open_gateway.request("GET", hop)
    assert (reply.status, reply.json()["error"]["code"]) == (403, "address_refused")


def test_the_gateway_does_not_proxy_itself(open_gateway: GatewayProcess) -> None:
    """Not even where loopback is allowed: a request would go round for ever."""
    reply = open_gateway.request("GET", f"/proxy/{open_gateway.url}/stats")
    assert (reply.status, reply.json()["error"]["code"]) == (403, "address_refused")
