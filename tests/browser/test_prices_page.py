"""The Prices page in a real browser, in front of a real gateway."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from app.storage.connections import Redis, open_redis
from tests.support.admin_pages import OpenPage, add, expect_blamed, expect_to_fit, no_channels, open_page
from tests.support.gateway import GatewayProcess
from tests.support.prices import forget_table, store_table
from tests.support.waiting import wait_until

__all__ = ["no_channels", "open_page"]

HOSTILE = "<img src=x onerror=alert(1)>"
BUILT_IN = {
    "known": {"prices": [{"input": ["3"], "cached": ["0.3"], "output": ["15"]}]},
    "tiered": {"prices": [{"input": ["3", [200_000, "6"]], "output": ["15", [200_000, "22.5"]]}]},
}


@pytest.fixture(autouse=True)
def prices(gateway: GatewayProcess, redis_url: str) -> Iterator[Redis]:
    """A built-in table of two models, and nothing that another test said."""
    with open_redis(redis_url) as redis:
        store_table(redis, "table 1", BUILT_IN)
        yield redis
        forget_table(redis)
    gateway.admin("PUT", "/api/prices", {"overrides": []})


def said(gateway: GatewayProcess) -> list[dict[str, Any]]:
    """The operator's own prices, without what they do not say."""
    overrides = gateway.admin("GET", "/api/prices").json()["overrides"]
    return [{name: value for name, value in one.items() if value is not None} for one in overrides]


def row_in(page: Page, section: str, model: str) -> Locator:
    rows = page.get_by_role("region", name=section).get_by_role("row")
    return rows.filter(has=page.get_by_role("rowheader", name=model, exact=True))


def test_a_price_of_ones_own_goes_before_the_built_in_one(
    open_page: OpenPage, gateway: GatewayProcess, complaints: list[str]
) -> None:
    """From the model in force: begun with what it costs now, changed, and taken away again."""
    add(gateway, "account", models=[{"name": "fast", "upstream_name": "known"}, {"name": "tiered"}, {"name": "new"}])
    page = open_page("#/prices")
    row = row_in(page, "In force", "known")
    expect(row).to_contain_text("$3.00")
    expect(row).to_contain_text("$0.30")
    expect(row).to_contain_text("built in")
    expect(row_in(page, "In force", "tiered")).to_contain_text("above 200,000: $6.00 / $22.50")
    expect(row_in(page, "In force", "new")).to_contain_text("no price")

    row.get_by_role("button", name="Set a price of your own for known").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Output", exact=True)).to_have_value("15")
    dialog.get_by_label("Input", exact=True).fill("2.50")
    dialog.get_by_label("Cached").fill("")
    dialog.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("$2.50")
    expect(row).to_contain_text("$0.25")  # by the ratio of the table
    expect(row).to_contain_text("yours")

    gateway.admin(
        "PUT", "/api/prices", {"overrides": [{"model": "theirs", "input": "1", "output": "1"}, *said(gateway)]}
    )
    own = row_in(page, "Your own prices", "known")
    own.get_by_role("button", name="Edit known").click()
    dialog.get_by_label("Output", exact=True).fill("12")
    dialog.locator("summary").click()
    dialog.get_by_label("From").fill("2020-02-03T04:05")
    dialog.get_by_role("button", name="Save").click()
    expect(own).to_contain_text("$12.00")
    theirs, mine = said(gateway)
    assert theirs == {"model": "theirs", "input": "1", "output": "1"}
    assert (mine["input"], mine["output"]) == ("2.50", "12")
    assert mine["valid_from_ms"] == 1_000 * datetime(2020, 2, 3, 4, 5, tzinfo=UTC).timestamp()

    own.get_by_role("button", name="Delete known").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(own).to_have_count(0)
    expect(row).to_contain_text("built in")
    assert said(gateway) == [theirs]
    assert complaints == []


def test_any_model_is_looked_up(open_page: OpenPage) -> None:
    """Whether or not a channel lists it; what was typed stands in the address."""
    page = open_page("#/prices")
    expect(page.get_by_text("The channels list no models")).to_be_visible()
    page.get_by_role("searchbox").fill("tiered")
    expect(row_in(page, "In force", "tiered")).to_contain_text("$15.00")
    page.get_by_role("searchbox").fill("nothing-like-it")
    expect(row_in(page, "In force", "nothing-like-it")).to_contain_text("no price")
    page.reload()
    expect(row_in(page, "In force", "nothing-like-it")).to_contain_text("no price")


@pytest.mark.parametrize(
    ("locale", "amount_says", "model_says", "tier_says"),
    [
        ("en-US", "with a point", "from the same time on", "go together"),
        ("zh-CN", "请输入金额", "同一生效时间不能重复", "须同时填写"),
    ],
)
def test_an_objection_stands_beside_its_field(
    open_page: OpenPage,
    gateway: GatewayProcess,
    complaints: list[str],
    locale: str,
    amount_says: str,
    model_says: str,
    tier_says: str,
) -> None:
    """Also where the field is folded away, and the price is one of several; hostile text is only text."""
    gateway.admin("PUT", "/api/prices", {"overrides": [{"model": "taken", "input": "1", "output": "1"}]})
    page = open_page("#/prices", locale=locale)
    page.locator(".panel-head button.primary").click()
    dialog = page.get_by_role("dialog")
    submit = dialog.locator("button[type=submit]")
    for name, wrong, says, right in (
        ("model", "", model_says, "taken"),
        ("input", "2,50", amount_says, "2.50"),
        ("output", "", amount_says, "10"),
        ("model", "taken", model_says, HOSTILE),
    ):
        dialog.locator(f"[name={name}]").fill(wrong)
        submit.click()
        expect_blamed(dialog.locator(f"[name={name}]"), says)
        dialog.locator(f"[name={name}]").fill(right)
    dialog.locator("summary").click()
    dialog.locator("[name=above_tokens]").fill("200000")
    dialog.locator("summary").click()
    submit.click()
    expect_blamed(dialog.locator("[name=input_above]"), tier_says)
    dialog.locator("[name=input_above]").fill("5")
    dialog.locator("[name=output_above]").fill("20")
    submit.click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_text(HOSTILE, exact=True)).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    assert [one["model"] for one in said(gateway)] == ["taken", HOSTILE]
    assert complaints == []


def test_a_table_that_is_missing_is_told(open_page: OpenPage, gateway: GatewayProcess, prices: Redis) -> None:
    """Before the worker has stored the built-in prices, and no longer once it has."""
    forget_table(prices)
    page = open_page("#/prices")
    expect(page.get_by_text("The built-in prices are not there yet")).to_be_visible()
    store_table(prices, "table 2", BUILT_IN)
    wait_until(lambda: gateway.admin("GET", "/api/prices").json()["built_in"]["version"], "the table is known")
    page.reload()
    expect(page.get_by_text("Built-in prices of 2 names: table 2")).to_be_visible()
    expect(page.get_by_text("The built-in prices are not there yet")).to_have_count(0)


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_the_view_is_never_wider_than_the_window(open_page: OpenPage, gateway: GatewayProcess, locale: str) -> None:
    """Not with names and amounts of any length."""
    long = "long" * 30
    add(gateway, "account", models=[{"name": long}])
    amount = "123456789012.123456789"
    everything = dict.fromkeys(("input", "output", "cached", "cache_write_5m", "cache_write_1h"), amount)
    tier = {"above_tokens": 1_000_000_000, "input_above": amount, "output_above": amount}
    gateway.admin("PUT", "/api/prices", {"overrides": [{"model": long} | everything | tier]})
    page = open_page("#/prices", locale=locale)
    expect(page.get_by_text(long).nth(1)).to_be_visible()
    expect_to_fit(page)
    page.locator("tbody .row-actions button").first.click()
    dialog = page.get_by_role("dialog")
    dialog.locator("summary").click()
    expect_to_fit(page, "the form")
