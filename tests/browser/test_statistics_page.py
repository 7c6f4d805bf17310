"""The page of statistics in a real browser, over sums as the worker writes them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from app.storage.connections import Redis
from app.storage.sql.database import WorkerDatabase
from tests.support.admin_pages import OpenPage, expect_to_fit, no_channels, open_page
from tests.support.databases import add_rows, prepared, row
from tests.support.gateway import GatewayProcess

__all__ = ["no_channels", "open_page"]
HOUR_MS = 3_600_000
USED = [1_000, 500, 0, 0, 250, None, "reported", {}]


@pytest.fixture
def database(gateway: GatewayProcess, redis_client: Redis) -> Iterator[WorkerDatabase]:
    with prepared(redis_client, gateway.redis_url) as database:
        yield database


def fill(database: WorkerDatabase) -> str:
    """Calls of an access token that nobody else has, by nine channels of the last hours; its id."""
    token_id, now_ms = uuid4().hex[:12], time.time_ns() // 1_000_000
    rows = []
    for channel in range(9):
        for place in range(10 - channel):
            said = {"at_ms": now_ms - (1 + place) * HOUR_MS, "channel_id": f"90{channel}", "channel": f"<b>{channel}"}
            said |= {"token_id": token_id, "token": "team", "model": f"m{channel % 2}", "dialect": "openai"}
            said |= {"usage": USED, "cost_nano": 2_000_000 * (channel + 1), "first_byte_ms": 100.0 + channel}
            said |= {"outcome": "server_error", "status": 500} if channel == 1 and place == 0 else {}
            rows.append(row(channel * 100 + place, **said))
    database.run(lambda connection: add_rows(connection, rows))
    return token_id


def names(page: Page) -> list[str]:
    return page.locator(".sums-table tbody th button").all_inner_texts()


def test_sums_are_sorted_narrowed_and_drawn(
    open_page: OpenPage, database: WorkerDatabase, complaints: list[str]
) -> None:
    """Totals, rows and series of one question, which stands in the address; zooming can be taken back."""
    token_id = fill(database)
    page = open_page(f"#/statistics?range=24h&token_id={token_id}")
    rows = page.locator(".sums-table tbody tr")
    expect(rows).to_have_count(9)
    assert names(page) == [f"<b>{channel}" for channel in range(9)]
    expect(page.locator(".sums")).to_contain_text("Requests54")
    expect(page.locator(".sums")).to_contain_text("Errors1")
    expect(rows.nth(1)).to_contain_text("88.9 %")
    expect(rows.nth(0)).to_contain_text("$0.02")
    legend = page.locator(".legend button")
    expect(legend).to_have_count(8)
    expect(legend.nth(7)).to_have_text("2 others 5")
    legend.nth(0).click()
    expect(page.locator(".chart svg path.fill")).to_have_count(7)
    page.get_by_role("button", name="Cost", exact=True).first.click()
    expect(legend.nth(0)).to_contain_text("$0.02")
    page.locator(".sums-table thead").get_by_role("button", name="Cost").click()
    expect(rows.nth(0)).to_contain_text("<b>4")
    page.locator(".sums-table thead").get_by_role("button", name="Cost").click()
    expect(rows.nth(0)).to_contain_text("<b>0")
    assert "chart=cost" in page.url
    assert "sort=-cost" in page.url

    page.get_by_role("button", name="<b>0", exact=True).click()
    expect(rows).to_have_count(1)
    assert "channel_id=900" in page.url
    assert names(page) == ["m0"]
    expect(rows.locator("a")).to_have_attribute("href", "#/logs?model=m0")
    page.locator("[name=by]").select_option("channel,key")
    expect(rows.nth(0)).to_contain_text("<b>0 · no key")

    before = page.url
    chart = page.locator(".chart")
    chart.focus()
    for key in ("End", "Shift+ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowLeft", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_label("From", exact=True)).to_be_visible()
    assert "range=1" in page.url
    page.get_by_role("button", name="Longer span").click()
    page.go_back()
    page.go_back()
    expect(page.get_by_label("From", exact=True)).to_have_count(0)
    assert page.url == before
    page.get_by_label("Span").select_option("last_month")
    expect(page.get_by_role("heading", name="No calls in this span")).to_be_visible()
    page.get_by_role("button", name="Clear the filters").click()
    assert "channel_id" not in page.url
    assert complaints == []


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_it_fits_every_width(open_page: OpenPage, database: WorkerDatabase, locale: str) -> None:
    """By two things at once, over a span of one's own."""
    token_id, now_ms = fill(database), time.time_ns() // 1_000_000
    span = f"{now_ms - 40 * 24 * HOUR_MS}-{now_ms}"
    page = open_page(f"#/statistics?range={span}&token_id={token_id}&by=channel,model&chart=first_byte", locale=locale)
    expect(page.locator(".sums-table tbody tr")).to_have_count(9)
    expect(page.locator(".chart svg path.stroke")).to_have_count(7)
    expect_to_fit(page)
