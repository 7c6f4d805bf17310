"""The pages in a real browser, in front of a real gateway and worker."""

from __future__ import annotations

import time

import pytest
import redis
from playwright.sync_api import expect

from app.storage.connections import MAPPINGS, MAPPINGS_OPTIONS
from tests.support.admin_pages import OpenPage, log_in
from tests.support.gateway import GatewayProcess
from tests.support.upstream import Upstream
from tests.support.waiting import wait_until
from worker.roll_up import RollUp

HOSTILE = "/<img/src=x/onerror=alert(1)>"
POLL_MS = 5_000
"""After so long at the latest an open page asks again."""
POLLED_MS = 15_000
"""What comes by a poll is there within this time, even if the clock was put forward just before the page set it."""


def test_an_added_mapping_is_listed_and_can_be_deleted(
    open_page: OpenPage, gateway: GatewayProcess, upstream: Upstream, complaints: list[str]
) -> None:
    """Log in, add, see the server's objection and the row, edit, delete: each through the page alone."""
    page = open_page("/admin")
    log_in(page, gateway.admin_token)
    page.get_by_role("button", name="Add mapping").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("input[name=prefix]").fill("no-slash")
    dialog.locator("input[name=target]").fill(upstream.url)
    dialog.locator("button[type=submit]").click()
    expect(dialog.get_by_role("alert")).not_to_be_empty()
    dialog.locator("input[name=prefix]").fill("/by-hand")
    dialog.locator("button[type=submit]").click()
    row = page.get_by_role("row").filter(has_text="/by-hand")
    expect(row).to_contain_text(upstream.url)
    expect(page.get_by_text("Added /by-hand")).to_be_visible()

    page.get_by_role("button", name="Edit /by-hand").click()
    expect(dialog.locator("input[name=prefix]")).not_to_be_editable()
    dialog.locator("input[name=target]").fill(f"{upstream.url}/v2")
    dialog.locator("button[type=submit]").click()
    expect(row).to_contain_text(f"{upstream.url}/v2")

    page.get_by_role("button", name="Delete /by-hand").click()
    expect(dialog).to_contain_text("/by-hand")
    dialog.get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    assert complaints == []


def test_several_mappings_are_deleted_together(
    open_page: OpenPage, gateway: GatewayProcess, upstream: Upstream
) -> None:
    """What the search hides is not deleted with the rest."""
    for name in ("/bulk-a", "/bulk-b", "/kept"):
        gateway.map(name, upstream.url)
    page = open_page("/admin")
    log_in(page, gateway.admin_token)
    page.get_by_label("Select /kept").check()
    page.get_by_role("searchbox").fill("/bulk")
    page.get_by_label("Select all").check()
    page.get_by_role("button", name="Delete selected (2)").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("searchbox").fill("")
    expect(page.get_by_role("row").filter(has_text="/bulk")).to_have_count(0)
    expect(page.get_by_role("row").filter(has_text="/kept")).to_have_count(1)


def test_a_wrong_token_is_refused_in_words(open_page: OpenPage, gateway: GatewayProcess) -> None:
    """The form stays, says why, and lets the right token in afterwards."""
    page = open_page("/admin")
    log_in(page, "wrong")
    expect(page.get_by_role("alert")).not_to_be_empty()
    log_in(page, gateway.admin_token)
    expect(page.get_by_role("heading", name="Mappings")).to_be_visible()


@pytest.mark.parametrize("path", ["/", "/admin"])
def test_a_page_that_was_there_before_asks_for_none_of_its_files(open_page: OpenPage, path: str) -> None:
    """Not even whether they have changed: their addresses would have."""
    page = open_page(path)
    page.reload()
    page.wait_for_load_state()
    asked = page.evaluate("performance.getEntriesByType('resource').filter((one) => one.name.includes('/static/~'))")
    assert len(asked) > 20
    assert [one["name"] for one in asked if one["transferSize"]] == []


def test_a_session_outlives_a_reload_and_ends_with_log_out(open_page: OpenPage, gateway: GatewayProcess) -> None:
    """The cookie is the session; no script can read it, and nothing secret is kept in storage."""
    page = open_page("/admin")
    log_in(page, gateway.admin_token)
    expect(page.get_by_role("heading", name="Mappings")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Mappings")).to_be_visible()
    assert gateway.admin_token not in page.evaluate(
        "JSON.stringify({...localStorage, ...sessionStorage}) + document.cookie"
    )
    page.get_by_role("button", name="Log out").click()
    expect(page.locator("input[name=token]")).to_be_visible()
    page.reload()
    expect(page.locator("input[name=token]")).to_be_visible()


def test_a_call_is_counted_before_the_visitors_eyes(
    open_page: OpenPage, gateway: GatewayProcess, upstream: Upstream, redis_client: redis.Redis, complaints: list[str]
) -> None:
    """The open dashboard shows a new call without a reload."""
    gateway.map("/seen", upstream.url)
    page = open_page("/", clock=True)
    row = page.locator(".endpoints tr").filter(has_text="/seen")
    expect(page.locator("main")).to_contain_text("/seen")
    expect(row).to_have_count(0)
    assert gateway.request("GET", "/seen/anything").status == 200

    def is_counted() -> bool:
        RollUp(redis_client).run(time.time_ns() // 1_000_000)
        return bool(gateway.request("GET", "/stats").json()["endpoints"]["/seen"]["count"] == 1)

    wait_until(is_counted, "it is counted", pause_s=0.2)
    page.clock.fast_forward(POLL_MS)
    expect(row.locator("td[data-label=Requests]")).to_have_text("1", timeout=POLLED_MS)
    assert complaints == []


def test_a_hostile_name_is_only_text(
    open_page: OpenPage, gateway: GatewayProcess, upstream: Upstream, complaints: list[str]
) -> None:
    """Markup in a stored prefix stands on both pages as it was written, and in the confirmation too."""
    gateway.map(HOSTILE, upstream.url)
    page = open_page("/")
    expect(page.locator("main")).to_contain_text(HOSTILE)
    page.goto("/admin")
    log_in(page, gateway.admin_token)
    expect(page.locator("tbody").get_by_text(HOSTILE)).to_be_visible()
    page.get_by_role("button", name=f"Delete {HOSTILE}").click()
    expect(page.get_by_role("dialog").get_by_text(HOSTILE)).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("tbody").get_by_text(HOSTILE)).to_have_count(0)
    assert page.locator("img[src=x]").count() == 0
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("locale", "name"), [("en-US", "Dashboard"), ("zh-CN", "仪表盘")])
def test_pages_are_quiet_in_every_dress(
    open_page: OpenPage, gateway: GatewayProcess, complaints: list[str], locale: str, name: str, scheme: str
) -> None:
    """Both languages and themes, chosen by the browser and then by hand: no error, no violation of the policy."""
    page = open_page("/", locale=locale, color_scheme=scheme)
    expect(page.locator("main h1")).to_be_visible()
    expect(page.get_by_role("link", name=name)).to_be_visible()
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    page.locator("#language").click()
    expect(page.get_by_role("link", name=name)).to_have_count(0)
    chosen = page.evaluate("[document.documentElement.lang, document.documentElement.dataset.theme]")
    page.goto("/admin")
    log_in(page, gateway.admin_token)
    expect(page.locator(".mappings footer")).to_be_visible()
    assert page.evaluate("[document.documentElement.lang, document.documentElement.dataset.theme]") == chosen
    assert complaints == []


def test_pages_fit_a_phone(open_page: OpenPage, gateway: GatewayProcess) -> None:
    """Nothing is wider than a narrow screen."""
    page = open_page("/")
    page.set_viewport_size({"width": 360, "height": 740})
    expect(page.locator("main h1")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.goto("/admin")
    log_in(page, gateway.admin_token)
    expect(page.locator(".mappings footer")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_silent_gateway_is_said_and_forgotten(open_page: OpenPage, gateway: GatewayProcess) -> None:
    """The page says that nobody answers, and recovers by itself."""
    page = open_page("/", clock=True)
    expect(page.locator("main h1")).to_be_visible()
    page.route("**/stats/*", lambda route: route.abort())
    page.clock.fast_forward(POLL_MS)
    expect(page.locator(".banner.bad")).to_be_visible(timeout=POLLED_MS)
    page.unroute("**/stats/*")
    page.clock.fast_forward(POLL_MS)
    expect(page.locator(".banner.bad")).to_have_count(0, timeout=POLLED_MS)


def test_a_mapping_gets_limits_of_its_own(
    open_page: OpenPage, gateway: GatewayProcess, upstream: Upstream, complaints: list[str]
) -> None:
    """Set in the dialog, counted in the table, there when the dialog opens again, refused when wrong, cleared."""
    gateway.map("/limited", upstream.url)
    page = open_page("/admin")
    log_in(page, gateway.admin_token)
    row = page.get_by_role("row").filter(has_text="/limited")
    dialog = page.get_by_role("dialog")
    field = dialog.locator("input[name=max_concurrency]")
    save = dialog.get_by_role("button", name="Save")

    def open_limits() -> None:
        page.get_by_role("button", name="Edit /limited").click()
        expect(field).to_be_hidden()
        dialog.locator("summary").click()

    def stored() -> object:
        return gateway.admin("GET", "/api/mappings").json()["options"].get("/limited")

    open_limits()
    expect(field).to_have_attribute("placeholder", "no limit")
    field.fill("1.5")
    save.click()
    expect(dialog.get_by_role("alert")).to_contain_text("A whole number from 0")
    field.fill("3")
    save.click()
    expect(row).to_contain_text("1 option")
    assert stored() == {"max_concurrency": 3}

    open_limits()
    expect(field).to_have_value("3")
    field.fill("")
    save.click()
    expect(dialog).to_have_count(0)
    expect(row).not_to_contain_text("1 option")
    assert stored() is None
    gateway.admin("DELETE", "/api/mappings/limited")
    assert complaints == []


def test_a_mapping_is_made_to_ask_for_a_token(
    open_page: OpenPage, gateway: GatewayProcess, upstream: Upstream, complaints: list[str]
) -> None:
    """Yes, no or as by default, chosen in its dialog and in force at once."""
    gateway.map("/asked", upstream.url)
    page = open_page("/admin")
    log_in(page, gateway.admin_token)
    row = page.get_by_role("row").filter(has_text="/asked")
    dialog = page.get_by_role("dialog")
    for choice, options, status in (("true", {"require_token": True}, 401), ("", None, 200)):
        page.get_by_role("button", name="Edit /asked").click()
        dialog.locator("summary").click()
        dialog.get_by_label("Needs an access token").select_option(choice)
        dialog.get_by_role("button", name="Save").click()
        expect(dialog).to_have_count(0)
        assert gateway.admin("GET", "/api/mappings").json()["options"].get("/asked") == options
        assert gateway.request("GET", "/asked/x").status == status
    expect(row).not_to_contain_text("1 option")
    gateway.admin("DELETE", "/api/mappings/asked")
    assert complaints == []


def test_a_mapping_gets_a_proxy_of_its_own(
    open_page: OpenPage, gateway: GatewayProcess, upstream: Upstream, redis_client: redis.Redis, complaints: list[str]
) -> None:
    """Refused beside its field, saved, shown masked; an edit of something else keeps the password."""
    gateway.map("/proxied", upstream.url)
    page = open_page("/admin")
    log_in(page, gateway.admin_token)
    row = page.get_by_role("row").filter(has_text="/proxied")
    dialog = page.get_by_role("dialog")
    field = dialog.get_by_label("Proxy", exact=True)
    save = dialog.get_by_role("button", name="Save")

    def open_options() -> None:
        page.get_by_role("button", name="Edit /proxied").click()
        dialog.locator("summary").click()

    open_options()
    expect(field).to_have_attribute("placeholder", "http://user:password@proxy.example:3128")
    field.fill("ftp://proxy.example")
    save.click()
    expect(dialog.get_by_role("alert")).to_contain_text("begins with http://, https://, socks5://")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill("http://ann:p-secret-w@proxy.example:3128")
    save.click()
    expect(dialog).to_have_count(0)
    expect(row.get_by_title("Proxy: http://ann:***@proxy.example:3128")).to_have_text("1 option")

    open_options()
    expect(field).to_have_value("http://ann:***@proxy.example:3128")
    dialog.locator("input[name=burst]").fill("5")
    save.click()
    expect(row).to_contain_text("2 options")
    assert "p-secret-w" in str(redis_client.hgetall(MAPPINGS_OPTIONS))
    assert "p-secret-w" not in page.content()
    open_options()
    field.fill("http://ann:***@elsewhere.example:3128")
    save.click()
    expect(dialog.get_by_role("alert")).to_contain_text("type it anew")
    field.fill("")
    save.click()
    expect(row).to_contain_text("1 option")
    assert "p-secret-w" not in str(redis_client.hgetall(MAPPINGS_OPTIONS))
    gateway.admin("DELETE", "/api/mappings/proxied")
    assert complaints == []


def test_stored_nonsense_is_told_and_can_be_deleted(
    open_page: OpenPage, gateway: GatewayProcess, redis_client: redis.Redis
) -> None:
    """Entries that somebody wrote by hand stand above the table with the reason; prefixes have a button."""
    written = {"/by//hand": "http://a.example", "/../up": "http://a.example"}
    redis_client.hset(MAPPINGS, mapping=written)
    gateway.admin("POST", "/api/mappings/reload")
    try:
        page = open_page("/admin")
        log_in(page, gateway.admin_token)
        told = page.locator(".rejected li")
        expect(told.filter(has_text="/by//hand")).to_contain_text("or an empty part")
        page.locator("#language").click()
        expect(told.filter(has_text="/by//hand")).to_contain_text("没有空的部分")
        page.locator("#language").click()
        # No browser sends such an address as it is written.
        expect(told.filter(has_text="/../up").get_by_role("button")).to_have_count(0)
        page.get_by_role("button", name="Delete /by//hand").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(told.filter(has_text="/by//hand")).to_have_count(0)
        assert not redis_client.hexists(MAPPINGS, "/by//hand")
    finally:
        redis_client.hdel(MAPPINGS, *written)
