"""What a person should act upon stands above each view of the admin, in the reader's language, until it is mended."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from app.core.warnings.warning import KINDS
from app.storage.connections import STATS_ROLLED_AT, Redis
from tests.support.admin_pages import OpenPage, add, expect_to_fit, no_channels, no_tokens, open_page
from tests.support.gateway import ROOT, GatewayProcess

__all__ = ["no_channels", "no_tokens", "open_page"]

WORDS = (ROOT / "admin_ui" / "js" / "words" / "warnings.js").read_text()
PLAIN = {"en-US": "Keys are stored plain: whoever reads Redis", "zh-CN": "密钥以明文存储"}
SILENT = {"en-US": "The worker does not run", "zh-CN": "工作进程未在运行"}


@pytest.fixture(autouse=True)
def no_worker(redis_client: Redis) -> Iterator[None]:
    """What other tests have rolled up is forgotten."""
    redis_client.delete(STATS_ROLLED_AT)
    yield
    redis_client.delete(STATS_ROLLED_AT)


def warnings_of(page: Page) -> Locator:
    return page.locator(".warnings")


def test_every_warning_has_words_in_both_languages() -> None:
    """And none is left of one that is no more. Each shows what it is about, where the gateway's own sentence does."""
    said = dict(re.findall(r"^  warning_(\w+): \[(.*?)\],$", WORDS, re.MULTILINE | re.DOTALL))
    assert set(said) == set(KINDS)
    for code, words in said.items():
        assert re.search("[\u4e00-\u9fff]", words), code
        assert words.count("{what}") in (0, 2), code


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_warnings_stand_above_each_view_and_lead_where_they_are_mended(
    open_page: OpenPage, gateway: GatewayProcess, complaints: list[str], locale: str
) -> None:
    """One that is mended goes by itself at the next view."""
    channel = add(gateway, "without a key")
    other = add(gateway, "other", keys=["sk-one"])
    page = open_page("#/settings", locale=locale)
    shown = warnings_of(page).locator("li")
    expect(shown.filter(has_text=SILENT[locale])).to_have_class("error")
    expect(shown.filter(has_text=PLAIN[locale])).to_contain_text("python scripts/encrypt_keys.py")
    keyless = shown.filter(has_text="without a key")
    expect_to_fit(page, locale)
    keyless.get_by_role("link").click()
    expect(page).to_have_url(re.compile(rf"#/channels/{channel['id']}/keys$"))
    expect(keyless).to_have_count(1)
    gateway.admin("POST", f"/api/channels/{channel['id']}/keys", {"keys": ["sk-two"]})
    page.goto("/admin#/tokens")
    expect(keyless).to_have_count(0)
    expect(shown.filter(has_text=PLAIN[locale])).to_have_count(1)
    for one in (channel, other):
        gateway.admin("DELETE", f"/api/channels/{one['id']}")
    page.goto("/admin#/prices")
    expect(shown.filter(has_text=PLAIN[locale])).to_have_count(0)
    assert complaints == []


def test_what_is_no_error_can_be_put_aside_until_something_new_is_among_it(
    open_page: OpenPage, gateway: GatewayProcess, complaints: list[str]
) -> None:
    """As long as the tab is open, also where the page is loaded anew. Errors stay."""
    add(gateway, "one", keys=["sk-one"])
    page = open_page("#/tasks")
    shown = warnings_of(page).locator("li")
    others = warnings_of(page).locator("li:not(.error)")
    expect(others.filter(has_text="Keys are stored plain")).to_have_count(1)
    page.get_by_role("button", name="Put aside").click()
    expect(others).to_have_count(0)
    expect(shown.filter(has_text="The worker does not run")).to_have_count(1)
    page.reload()
    again = page.get_by_role("button", name=re.compile(r"^Show \d+ warning"))
    expect(again).to_have_attribute("aria-expanded", "false")
    expect(others).to_have_count(0)
    again.click()
    expect(others.filter(has_text="Keys are stored plain")).to_have_count(1)
    page.get_by_role("button", name="Put aside").click()
    add(gateway, "new one")
    page.goto("/admin#/prices")
    expect(others.filter(has_text="new one")).to_have_count(1)
    expect(others.filter(has_text="Keys are stored plain")).to_have_count(1)
    assert complaints == []


def test_an_error_goes_when_it_is_mended(
    open_page: OpenPage, gateway: GatewayProcess, redis_client: Redis, complaints: list[str]
) -> None:
    """A worker that runs again."""
    page = open_page("#/mappings", clock=True)
    silent = warnings_of(page).get_by_text("The worker does not run")
    expect(silent).to_be_visible()
    seconds, _ = redis_client.time()
    redis_client.set(STATS_ROLLED_AT, (seconds + 60) * 1000)  # and for as long as this test takes
    page.clock.run_for(16_000)
    expect(silent).to_have_count(0)
    assert complaints == []


def test_what_a_warning_tells_is_no_markup(open_page: OpenPage, gateway: GatewayProcess, complaints: list[str]) -> None:
    """Names stand in it as they were given."""
    name = "<img src=x onerror=alert(1)>"
    add(gateway, name)
    page = open_page("#/settings")
    expect(warnings_of(page).get_by_text(name)).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    assert complaints == []
