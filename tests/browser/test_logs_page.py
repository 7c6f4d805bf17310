"""The page of the latest calls in a real browser, over a log as the worker writes it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from app.core.judging.outcome import TRAITS
from app.core.usage import Usage
from app.storage.connections import LOG_DATABASE, Redis
from tests.support.admin_pages import OpenPage, expect_to_fit, no_channels, open_page
from tests.support.gateway import GatewayProcess
from tests.support.log_rows import Log, book, called, failed_attempt, mapped, refused
from tests.support.upstream import Peer, Upstream
from worker.roll_up import RollUp

__all__ = ["no_channels", "open_page"]
HOSTILE = "<img src=x onerror=alert(1)>"
USAGE = Usage(1_200, 300, 0, 0, 450, None, "reported", {"web_search_requests": 2})


@pytest.fixture
def log(gateway: GatewayProcess, redis_client: Redis) -> Iterator[Log]:
    """Empty, whoever called before."""
    log = Log(gateway, redis_client)
    log.clear()
    yield log
    log.database.close()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _seq() -> int:
    return time.time_ns()


def fill(log: Log, *events: Any) -> None:
    """The calls, one a second, the last one just now."""
    now_ms = _now_ms()
    ended = [event._replace(ended_at_ms=now_ms - 1_000 * place) for place, event in enumerate(reversed(events))]
    book(log.client, *reversed(ended), process="pages", seq=_seq(), now_ms=now_ms)
    log.catch_up()


def failover(id: str = "f" * 32, **use: Any) -> Any:
    said = {"usage": USAGE, "cost_nano": 12_345_678, "price_version": "2026-11", **use}
    return called(id, failed_attempt(120.0), use=said, first_byte_ms=350.0)


def test_calls_are_listed_and_one_is_told_attempt_by_attempt(
    open_page: OpenPage, log: Log, complaints: list[str]
) -> None:
    """A row for each call; its details stand in the address, with attempts, usage and cost."""
    fill(log, mapped("a" * 32, status=500), refused("b" * 32), failover(model=HOSTILE, user_agent=HOSTILE))
    page = open_page("#/logs")
    rows = page.locator(".logs .logs-table tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text(HOSTILE)
    expect(rows.nth(0)).to_contain_text("1,500 / 450")
    expect(rows.nth(0)).to_contain_text("$0.012346")
    expect(rows.nth(1)).to_contain_text("Refused here · 429")
    expect(rows.nth(2)).to_contain_text("Server error · 500")
    rows.nth(0).get_by_role("link", name="Details").click()
    dialog = page.get_by_role("dialog")
    attempts = dialog.locator(".attempts li")
    expect(attempts).to_have_count(2)
    expect(attempts.nth(0)).to_contain_text("Rate limited · 429")
    expect(attempts.nth(0)).to_contain_text("slow down")
    expect(attempts.nth(0)).to_contain_text("sk-1…aaaa")
    expect(attempts.nth(0)).to_contain_text("It is the key’s fault. So another channel was asked.")
    expect(attempts.nth(1)).to_contain_text("second")
    expect(attempts.nth(1)).to_contain_text("The caller got this answer")
    expect(dialog).to_contain_text("Cached300")
    expect(dialog).to_contain_text("web_search_requests2")
    assert page.url.endswith("/admin#/logs/" + "f" * 32)
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
    assert page.url.endswith("/admin#/logs")
    assert complaints == []


def test_what_is_filtered_for_stands_in_the_address(open_page: OpenPage, log: Log) -> None:
    """By text, model, status and outcome, calls or all attempts; and nothing found says so."""
    fill(log, mapped("a" * 32, status=500), refused("b" * 32), failover())
    page = open_page("#/logs")
    rows = page.locator(".logs .logs-table tbody tr")
    expect(rows).to_have_count(3)
    page.get_by_label("Rows").select_option("all")
    expect(rows).to_have_count(4)
    expect(rows.nth(1)).to_contain_text("attempt 1")
    page.get_by_label("Outcome", exact=True).select_option("rate_limited")
    expect(rows).to_have_count(1)
    assert "outcome=rate_limited" in page.url
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    page.get_by_role("button", name="Prune").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 2
    assert "slow down" in lines[1]
    page.get_by_label("Rows").select_option("")
    expect(page.get_by_text("No call fits these filters.")).to_be_visible()
    page.get_by_role("button", name="Clear the filters").click()
    expect(rows).to_have_count(3)
    page.get_by_label("Search id").fill("SECOND")
    expect(page.get_by_text("No call fits these filters.")).to_be_visible()
    page.get_by_label("Search id").fill("bbbb")
    expect(rows).to_have_count(1)
    page.get_by_label("Search id").fill("")
    page.get_by_label("State").select_option("5xx")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("/up")


def test_a_name_in_a_row_narrows_the_list_to_it(open_page: OpenPage, log: Log, complaints: list[str]) -> None:
    """Channel, access token or mapping; by the address too, and each is taken away again by its button."""
    other = called("e" * 32, use={"channel_id": "9", "channel": "other", "token_id": "80808", "token": "guests"})
    fill(log, mapped("a" * 32), failover(), other)
    page = open_page("#/logs")
    rows = page.locator(".logs .logs-table tbody tr")
    expect(rows).to_have_count(3)
    for name, address in (("other", "channel_id=9"), ("guests", "token_id=80808"), ("/up", "mapping=%2Fup")):
        page.get_by_role("link", name=name, exact=True).click()
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text(name)
        assert address in page.url
        expect(page.get_by_role("button", name="More filters (1)")).to_be_visible()
        filter = page.locator(f"[name={address.partition('=')[0]}]")
        filter.fill("") if name == "/up" else filter.select_option("")
        expect(rows).to_have_count(3)
        expect(page).to_have_url(re.compile("#/logs$"))
    assert complaints == []


def test_pages_follow_and_go_back(open_page: OpenPage, log: Log) -> None:
    """Fifty at once, while calls come in."""
    fill(log, *(mapped(f"{n:032x}") for n in range(120)))
    page = open_page("#/logs")
    first = page.locator(".logs .logs-table tbody tr a").first
    expect(first).to_have_attribute("href", f"#/logs/{119:032x}")
    page.get_by_role("button", name="Next").click()
    expect(first).to_have_attribute("href", f"#/logs/{69:032x}")
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".logs .logs-table tbody tr")).to_have_count(20)
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    page.get_by_role("button", name="Previous").click()
    expect(first).to_have_attribute("href", f"#/logs/{69:032x}")


def test_a_call_that_is_gone_says_so(open_page: OpenPage, log: Log) -> None:
    """By an address that somebody kept."""
    page = open_page(f"#/logs/{'0' * 32}")
    expect(page.get_by_role("dialog")).to_contain_text("This call is not in the log any more")


def test_a_call_that_goes_on_is_seen_and_ended(
    open_page: OpenPage, gateway: GatewayProcess, log: Redis, complaints: list[str]
) -> None:
    """After a question; its upstream sees the end. With a filter for what nobody has in the address nothing is lost."""
    left = threading.Event()

    def waits(peer: Peer) -> None:
        peer.read_request()
        peer.wait_closed(20)
        left.set()

    upstream = Upstream(handler=waits)
    gateway.map("/live-page", upstream.url)
    caller = threading.Thread(target=gateway.request, args=("GET", "/live-page/x"))
    caller.start()
    page = open_page("#/logs?dialect=gemini&stream=true&from_ms=1700000000000&status=418")
    row = page.locator(".live-table tbody tr").filter(has_text="/live-page")
    expect(row).to_contain_text("Waiting")
    for name, value in (("dialect", "gemini"), ("stream", "true"), ("status", "418")):
        expect(page.locator(f"[name={name}]")).to_have_value(value)
    row.get_by_role("button", name="End the call").click()
    page.get_by_role("dialog").get_by_role("button", name="End").click()
    assert left.wait(10)
    caller.join(10)
    expect(row).to_have_count(0)
    gateway.admin("DELETE", "/api/mappings/live-page")
    upstream.close()
    assert complaints == []


def test_on_whom_an_outcome_rests_is_said_as_the_gateway_judges(open_page: OpenPage) -> None:
    page = open_page("#/tasks")
    blame = "async (names) => names.map((await import('/static/js/views/logs/blame.js')).blameOf)"
    told = page.evaluate(blame, [outcome.value for outcome in TRAITS])
    assert told == [traits.blame.value for traits in TRAITS.values()]


def test_where_the_database_is_another_machines_the_pages_say_what_to_do(open_page: OpenPage, log: Log) -> None:
    """The log, statistics, the audit; and they show what there is as soon as that is mended."""
    own = log.client.get(LOG_DATABASE)
    log.client.set(LOG_DATABASE, "of another machine")
    try:
        page = open_page("#/logs")
        for view in ("logs", "statistics", "audit"):
            page.evaluate("view => { location.hash = `#/${view}`; }", view)
            expect(page.locator(f".{view} .banner.bad")).to_contain_text("DATABASE_URL")
    finally:
        log.client.set(LOG_DATABASE, own)
    page.evaluate("location.hash = '#/logs'")
    expect(page.get_by_role("heading", name="No calls yet")).to_be_visible(timeout=15_000)


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_it_fits_every_width(open_page: OpenPage, log: Log, locale: str) -> None:
    """List and dialog, with long names and reasons, in both languages and themes."""
    long = "a-model-with-a-very-long-name-" * 5
    fill(
        log, mapped("a" * 32, status=404), refused("b" * 32), failover(model=long, upstream_model="u" * 100, token=long)
    )
    page = open_page(f"#/logs/{'f' * 32}", locale=locale)
    expect(page.locator(".attempts li")).to_have_count(2)
    expect_to_fit(page)
    expect(page.locator(".logs .logs-table tbody tr")).to_have_count(3)
    expect(page.locator("h1")).to_have_text("Requests" if locale == "en-US" else "请求")


def test_strangers_are_told_no_cost(browser: Browser, gateway: GatewayProcess, log: Log) -> None:
    """Neither by the dashboard nor by /stats, which tell of the call all the same."""
    fill(log, failover())
    RollUp(log.client).run(_now_ms())
    for span in ("", "?window=24h", "?window=7d", "?window=30d", "?window=total"):
        stats = gateway.request("GET", f"/stats{span}").body.decode()
        assert '"/v1"' in stats
        for word in ("cost", "usd", "price", "0.0123", "12345678"):
            assert word not in stats.lower(), (span, word)
    page = browser.new_page(locale="en-US", base_url=gateway.url)
    page.goto("/")
    expect(page.locator("main code").get_by_text("/v1", exact=True).first).to_be_visible()
    assert not re.search(r"\$\s?\d", page.locator("main").inner_text())
    page.close()
